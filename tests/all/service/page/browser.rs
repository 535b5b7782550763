//! A real browser, headless, with nothing in it but what a test puts there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::{By, ChromeCapabilities, Key, LoggingPrefsLogLevel, WebDriver, WebElement};
use tokio::time::sleep;

use crate::support::{Turn, WAIT_LIMIT, turn};

/// A browser; it ends with this.
pub struct Browser {
    pub page: WebDriver,
    folder: TempDir,
    server: Child,
    port: u16,
    /// One browser at a time: two share the processors badly, and tests look at how things move.
    _turn: Turn,
}

impl Browser {
    /// Starts one, with a window of ordinary width.
    pub async fn start() -> Self {
        let turn = turn();
        let folder = tempfile::tempdir().unwrap();
        let downloads = folder.path().join("downloads");
        std::fs::create_dir(&downloads).unwrap();
        let mut server =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().expect(
                "chromedriver: install chromium and chromium-driver, or run `cargo xtask test`",
            );
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver tells its port");

        let mut wanted = ChromeCapabilities::new();
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--lang=en-GB",
            "--window-size=1000,900",
            &profile,
        ] {
            wanted.add_arg(flag).unwrap();
        }
        let downloads = json!({ "download.default_directory": downloads });
        wanted.add_experimental_option("prefs", downloads).unwrap();
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let page = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.unwrap();
        Self { page, folder, server, port, _turn: turn }
    }

    /// What a script answers in the page.
    pub async fn eval(&self, script: &str) -> Value {
        let result = self.page.execute(format!("return {script}"), Vec::new()).await.unwrap();
        result.json().clone()
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: impl Into<char>) {
        let keys = self.page.action_chain().send_keys(key.into().to_string());
        keys.perform().await.unwrap();
    }

    /// Presses Tab until the focus is on what a selector finds, as somebody without a mouse does. What has the focus
    /// can be seen to have it.
    pub async fn tab_to(&self, selector: &str) {
        for _ in 0..40 {
            if self.has_focus(selector).await {
                let outline =
                    self.eval("getComputedStyle(document.activeElement).outlineStyle").await;
                assert_ne!(outline, "none", "{selector} does not show its focus");
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("{selector} can't be reached by the keyboard");
    }

    pub async fn has_focus(&self, selector: &str) -> bool {
        self.eval(&format!("document.activeElement.matches({selector:?})")).await == true
    }

    /// What a selector finds, once it is there to be seen.
    pub async fn find(&self, selector: &str) -> WebElement {
        let began = Instant::now();
        loop {
            for element in self.page.find_all(By::Css(selector)).await.unwrap() {
                if element.is_displayed().await.unwrap_or(false) {
                    return element;
                }
            }
            assert!(began.elapsed() < WAIT_LIMIT, "no {selector}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Waits until a script answers true.
    pub async fn until(&self, script: &str) {
        let began = Instant::now();
        while self.eval(script).await != true {
            assert!(began.elapsed() < WAIT_LIMIT, "it did not come to {script}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The one file that was downloaded, once it is whole; it is taken away.
    pub async fn downloaded(&self) -> (String, Vec<u8>) {
        let began = Instant::now();
        loop {
            let entries = std::fs::read_dir(self.folder.path().join("downloads")).unwrap();
            let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
            if let [file] = files.as_slice()
                && !name(file).ends_with(".crdownload")
                && !name(file).starts_with(".")
            {
                let bytes = std::fs::read(file).unwrap();
                std::fs::remove_file(file).unwrap();
                return (name(file), bytes);
            }
            assert!(began.elapsed() < WAIT_LIMIT, "nothing was downloaded: {files:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A window of this size, by day or by night. For a picture of another scale, without scroll bars.
    pub async fn window(&self, width: u32, height: u32, scale: f64, scheme: &str) {
        let cdp = self.page.cdp();
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false });
        cdp.send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
        let hidden = json!({ "hidden": scale != 1.0 });
        cdp.send_raw("Emulation.setScrollbarsHidden", hidden).await.unwrap();
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        cdp.send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
    }

    /// Nothing of the page is wider than its window.
    pub async fn fits(&self, when: &str) {
        let script = "(room => [...document.querySelectorAll('body *')].filter(element => \
                      element.getBoundingClientRect().right > room + 0.5).map(element => element.outerHTML)) \
                      (document.documentElement.clientWidth)";
        let wide = self.eval(script).await;
        let root = "document.documentElement";
        let fits = self.eval(&format!("{root}.scrollWidth <= {root}.clientWidth")).await;
        assert!(wide.as_array().unwrap().is_empty() && fits == true, "{when}: {wide}");
    }

    pub async fn screenshot(&self, file: &Path) {
        std::fs::write(file, self.page.screenshot_as_png().await.unwrap()).unwrap();
    }

    /// What the browser has complained of since it was last asked: errors, what the policy forbids, failed requests.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.page.browser_log().await.unwrap();
        entries.into_iter().map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser, and then itself.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let request =
                format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok();
            stream.write_all(request.as_bytes()).ok();
            stream.read_to_end(&mut Vec::new()).ok();
        }
        self.server.kill().ok();
        self.server.wait().ok();
    }
}
