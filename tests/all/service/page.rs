//! The service's page, as somebody sees and uses it in a browser.

mod browser;
mod contrast;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partway_testbed::{compare, restore, write_sample};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::{By, Key};
use tokio::time::sleep;

use self::browser::Browser;
use self::contrast::low_contrast;
use crate::support::{Server, runtime, tiny};

/// A slice of one small part; with a rest after it exports take some seconds.
const SLOWLY: [&str; 5] = ["--part-size", "64KiB", "--slice-parts", "1", "--pause"];

/// A folder with a database of so many megabytes.
fn sample(name: &str, megabytes: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().prefix("partway-").tempdir().unwrap();
    let file = folder.path().join(format!("{name}.db"));
    write_sample(&file, megabytes).unwrap();
    (folder, file)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The exports as the service tells them, the newest first.
fn exports(server: &Server) -> Vec<Value> {
    server.get("/exports").result(200).as_array().unwrap().clone()
}

fn stored(folder: &Path, status: &Value) -> Vec<u8> {
    fs::read(folder.join("store").join(status["name"].as_str().unwrap())).unwrap()
}

#[test]
fn an_export_is_started_watched_downloaded_and_cancelled_without_a_mouse() {
    let (folder, file) = sample("shop", 8);
    let small = tiny(folder.path());
    let databases = [text(&small), text(&file)];
    let slowly = SLOWLY.into_iter().chain(["90ms"]);
    let server = Server::with_store(folder.path(), databases.into_iter().chain(slowly));
    runtime().block_on(async {
        let browser = Browser::start().await;
        browser.page.goto(&server.url).await.unwrap();
        assert_eq!(browser.text("#line").await, "connected");
        browser.find("#empty").await;

        browser.tab_to("#database").await;
        browser.press('s').await;
        assert_eq!(browser.eval("document.activeElement.value").await, "shop");
        browser.tab_to("#begin").await;
        browser.press(Key::Enter).await;
        browser.find(".card[data-state=running]").await;
        assert!(browser.has_focus("#begin").await, "the focus has gone elsewhere");
        let id = exports(&server)[0]["exportId"].as_str().unwrap().to_owned();

        // It moves, by events and not by what is asked for every two seconds.
        let progress = "Number(document.querySelector('.bar').getAttribute('aria-valuenow'))";
        browser.until(&format!("{progress} > 0")).await;
        let script = "const [seen, done] = [{ bar: new Set(), bytes: new Set() }, arguments[0]];
            const [bar, bytes] = ['.bar', '[data-figure=bytes] dd'].map(it => document.querySelector(it));
            new MutationObserver(() => {
                seen.bar.add(bar.getAttribute('aria-valuenow'));
                seen.bytes.add(bytes.textContent);
            }).observe(bar.closest('.card'), { attributes: true, childList: true, subtree: true });
            setTimeout(() => done([seen.bar.size, seen.bytes.size]), 4000);";
        let seen = browser.page.execute_async(script, Vec::new()).await.unwrap().json().clone();
        assert!(seen[0].as_u64() >= Some(2) && seen[1].as_u64() >= Some(5), "{seen}");
        let drawn = "document.querySelector('.fill').getBoundingClientRect().width > 0 \
                     && document.querySelector('.curve').getAttribute('d')?.length > 10";
        browser.until(drawn).await;
        for name in ["rows", "bytes", "rate", "end"] {
            let figure = browser.text(&format!("[data-figure={name}] dd")).await;
            assert!(figure.chars().any(|letter| letter.is_ascii_digit()), "{name}: {figure}");
        }
        assert!(browser.page.title().await.unwrap().contains('%'));
        browser.until("document.querySelector('.card').dataset.state === 'done'").await;
        let done = server.status(&id);
        let printed = browser.eval("document.querySelector('#announcement').textContent").await;
        assert_eq!(printed, format!("{} is done: {}.", done["name"].as_str().unwrap(), shown(&done)));

        browser.tab_to(".download").await;
        browser.press(Key::Enter).await;
        let (name, bytes) = browser.downloaded().await;
        assert_eq!(name, done["name"]);
        assert!(bytes == stored(folder.path(), &done));

        // A browser's own way to listen comes to its end, too.
        let script = format!(
            "const [seen, done] = [[], arguments[0]];
             const source = new EventSource('/export/status/{id}/events');
             source.onmessage = it => seen.push(JSON.parse(it.data).status);
             source.onerror = () => source.readyState === 2 && done(seen);"
        );
        let seen = browser.page.execute_async(script, Vec::new()).await.unwrap().json().clone();
        assert_eq!(seen, serde_json::json!(["done"]));

        // Another, which nobody wants any more.
        browser.tab_to("#begin").await;
        browser.press(Key::Enter).await;
        browser.find(".card[data-state=running]").await;
        browser.tab_to(".cancel").await;
        browser.press(Key::Enter).await;
        assert!(browser.has_focus("#keep").await, "the first choice is the one without harm");
        browser.press(Key::Escape).await;
        assert!(browser.has_focus(".cancel").await, "the focus is back where it was");
        browser.press(Key::Enter).await;
        browser.tab_to("#cancel").await;
        browser.press(Key::Enter).await;
        browser.until("document.querySelector('.card').dataset.state === 'cancelled'").await;
        let all = exports(&server);
        assert_eq!((all.len(), &all[0]["status"]), (2, &"cancelled".into()));
        assert!(!browser.has_focus("body").await, "the focus is lost");
        assert_eq!(browser.complaints().await, [""; 0]);

        // A service that goes away is missed, and one that comes back is found.
        let url = server.url.clone();
        drop(server);
        browser.until("document.querySelector('#line').dataset.there === 'false'").await;
        assert!(browser.text("#notice").await.contains("does not respond"));
        assert_eq!(browser.eval("document.querySelectorAll('.card').length").await, 2);
        let (store, state) = (folder.path().join("store"), folder.path().join("state"));
        let arguments = [text(&file), "--store", text(&store), "--state", text(&state)];
        let again = Server::start_at(url.trim_start_matches("http://"), arguments);
        browser.until("document.querySelector('#line').dataset.there === 'true'").await;
        browser.until("document.querySelector('#notice').hidden").await;
        assert_eq!(browser.eval("document.querySelectorAll('#database option').length").await, 1);

        // An object that somebody has deleted is not offered any more.
        again.ask("DELETE", &format!("/export/{id}"), &[], "").result(200);
        browser.find(".card[data-state=deleted]").await;
        assert_eq!(browser.eval("document.querySelectorAll('.download').length").await, 0);
    });
}

#[test]
fn format_tables_and_compression_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let more = "CREATE TABLE log_1 (a); CREATE TABLE log_2 (a); INSERT INTO log_2 VALUES ('x')";
    Connection::open(&file).unwrap().execute_batch(more).unwrap();
    let server = Server::with_store(folder.path(), [text(&file)]);
    runtime().block_on(async {
        let browser = Browser::start().await;
        browser.page.goto(&server.url).await.unwrap();
        browser.find("#empty").await;
        let start = async |format: char, tables: &str, compress: Option<char>| {
            browser.tab_to("#format").await;
            browser.press(format).await;
            browser.tab_to("#tables").await;
            browser.eval("document.querySelector('#tables').value = ''").await;
            for letter in tables.chars() {
                browser.press(letter).await;
            }
            if let Some(compress) = compress {
                browser.tab_to("#compress").await;
                browser.press(compress).await;
            }
            browser.tab_to("#begin").await;
            browser.press(Key::Enter).await;
        };
        start('p', "", None).await;
        let reason = "document.querySelector('#notice').textContent.includes('a Parquet file has one table')";
        browser.until(reason).await;
        start('p', "t", None).await;
        browser.until("document.querySelectorAll('.card[data-state=done]').length === 1").await;
        start('n', "log_*, t", Some('g')).await;
        browser.until("document.querySelectorAll('.card[data-state=done]').length === 2").await;
        // Of what was refused, and of nothing else.
        let complaints = browser.complaints().await;
        assert!(matches!(&complaints[..], [one] if one.contains("status of 400")), "{complaints:?}");
    });
    let made = exports(&server);
    assert!(made[1]["name"].as_str().unwrap().ends_with(".parquet"), "{made:?}");
    assert!(made[0]["name"].as_str().unwrap().ends_with(".ndjson.gz"), "{made:?}");
    assert_eq!(made[0]["tables"]["done"], 3);
}

/// Bytes as the page shows them.
fn shown(status: &Value) -> String {
    let number = status["bytes"].as_f64().unwrap() / 1e6;
    assert!((1.0..10.0).contains(&number), "{number}");
    let text = format!("{number:.2}");
    format!("{}\u{a0}MB", text.trim_end_matches('0').trim_end_matches('.'))
}

#[test]
fn a_token_is_asked_for_and_does_what_it_may() {
    let (folder, file) = sample("shop", 1);
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "read reading-is-allowed\nadmin doing-all-is-allowed\n").unwrap();
    let with_tokens = ["--token-file", text(&tokens)];
    let server = Server::with_store(folder.path(), [text(&file)].into_iter().chain(with_tokens));
    let streaming = Server::start([text(&file)].into_iter().chain(with_tokens));
    runtime().block_on(async {
        let browser = Browser::start().await;
        browser.page.goto(&server.url).await.unwrap();
        let sign_in = async |token: &str| {
            browser.find("#token").await;
            browser.until("document.activeElement.id === 'token'").await;
            browser
                .page
                .action_chain()
                .send_keys(token)
                .send_keys(Key::Enter)
                .perform()
                .await
                .unwrap();
        };
        sign_in("nothing-of-ours-here").await;
        browser
            .until("document.querySelector('#notice').textContent.includes('does not know')")
            .await;
        assert!(!browser.page.find(By::Id("start")).await.unwrap().is_displayed().await.unwrap());

        browser.fits("asking for a token").await;
        browser.screenshot(&temporary().join("page-token.png")).await;
        sign_in("reading-is-allowed").await;
        browser.until("document.activeElement.id === 'begin'").await;
        browser.press(Key::Enter).await;
        browser
            .until("document.querySelector('#notice').textContent.includes('may only read')")
            .await;
        browser.find("#empty").await;

        browser.find("#leave").await.click().await.unwrap();
        assert_eq!(browser.eval("sessionStorage.length + localStorage.length").await, 0);
        sign_in("doing-all-is-allowed").await;
        browser.until("document.activeElement.id === 'begin'").await;
        browser.press(Key::Enter).await;
        browser.find(".card[data-state=done]").await;
        // It is kept for the tab, and for no longer.
        browser.page.refresh().await.unwrap();
        assert_eq!(browser.eval("[sessionStorage.length, localStorage.length]").await[1], 0);

        let (token, read) = ("doing-all-is-allowed", "reading-is-allowed");
        let ask = |path: &str, token: &str| {
            server.ask("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
        };
        browser.tab_to(".download").await;
        browser.press(Key::Enter).await;
        let (name, bytes) = browser.downloaded().await;
        let done = ask("/exports", token).result(200)[0].clone();
        assert_eq!(name, done["name"]);
        assert!(bytes == stored(folder.path(), &done));

        // What the page has done for it: a ticket is good for this alone. A reader may have one, too.
        let path = done["downloadUrl"].as_str().unwrap();
        server.get(&format!("{path}/ticket")).error(401);
        let url =
            ask(&format!("{path}/ticket"), read).result(200)["url"].as_str().unwrap().to_owned();
        assert!(server.get(&url).body == bytes);
        let range = server.ask("GET", &url, &[("range", "bytes=1-2")], "");
        assert_eq!((range.status, range.body), (206, bytes[1..3].to_vec()));
        let (_, ticket) = url.split_once('?').unwrap();
        server.get(&format!("/exports?{ticket}")).error(403);
        server
            .ask("DELETE", &format!("{}?{ticket}", path.replace("download/", "")), &[], "")
            .error(401);
        server.get(&url[..url.len() - 1]).error(403);

        // Without a store.
        browser.page.goto(&streaming.url).await.unwrap();
        sign_in(token).await;
        browser.until("document.activeElement.closest('#dumps') !== null").await;
        browser.screenshot(&temporary().join("page-streamed.png")).await;
        browser.press(Key::Enter).await;
        let (name, bytes) = browser.downloaded().await;
        assert!(name.starts_with("dump_") && name.ends_with(".sql"), "{name}");
        let (dump, restored) = (folder.path().join("dump.sql"), folder.path().join("restored.db"));
        fs::write(&dump, bytes).unwrap();
        restore(&dump, &restored).unwrap();
        assert!(compare(&file, &restored).unwrap().is_empty());

        // The browser tells of what was refused; the policy has forbidden nothing.
        for complaint in browser.complaints().await {
            assert!(
                complaint.contains("status of 401") || complaint.contains("status of 403"),
                "{complaint}"
            );
        }
    });
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let (folder, file) = sample("shop", 1);
    let server = Server::with_store(folder.path(), [text(&file)]);
    let other = Server::start([text(&file)]);
    runtime().block_on(async {
        let browser = Browser::start().await;
        // Another port is another site's page as well. This one says nothing of what it may do.
        browser.page.goto(format!("{}/healthz", other.url)).await.unwrap();
        let ask = async |method: &str, path: &str| {
            let script = format!(
                "const done = arguments[0];
                 fetch('{}{path}', {{ method: '{method}', mode: 'no-cors' }}).then(it => done(it.type), error => done(`${{error}}`));",
                server.url
            );
            browser.page.execute_async(script, Vec::new()).await.unwrap().json().clone()
        };
        // It can ask, though it does not see the answer.
        assert_eq!(ask("GET", "/exports").await, "opaque");
        assert_eq!(ask("POST", "/export/dump").await, "opaque");
        assert_eq!(ask("GET", "/export/dump").await, "opaque");
        assert_eq!(exports(&server), [Value::Null; 0]);
        // Nor by a link that somebody follows, or a form.
        for element in ["<a href='{}'>x</a>", "<form method=post action='{}'><button>x</button></form>"] {
            browser.page.goto(format!("{}/healthz", other.url)).await.unwrap();
            let element = element.replace("{}", &format!("{}/export/dump", server.url));
            let script = format!("document.body.innerHTML = {element:?}");
            browser.page.execute(script, Vec::new()).await.unwrap();
            browser.find("a, button").await.click().await.unwrap();
            browser.until("document.body.textContent.includes('another site')").await;
        }
        assert_eq!(exports(&server), [Value::Null; 0]);
        // The page itself can be held in no frame, and neither can it see what others have.
        browser.page.goto(&server.url).await.unwrap();
        browser.tab_to("#begin").await;
        browser.press(Key::Enter).await;
        browser.find(".card[data-state=done]").await;
    });
}

#[test]
fn states_are_told_apart_in_windows_wide_and_narrow_by_day_and_by_night() {
    let (folder, file) = sample("shop", 32);
    let (small_folder, orders) = sample("orders", 1);
    let damaged = small_folder.path().join("archive.db");
    fs::copy(&orders, &damaged).unwrap();
    let arguments = [text(&file), text(&orders), text(&damaged), "--retries", "0"];
    let slowly = SLOWLY.into_iter().chain(["60ms"]);
    let server = Server::with_store(folder.path(), arguments.into_iter().chain(slowly));
    let ask =
        |database: &str| server.post(&format!("/export/dump?database={database}"), "").accepted();
    let broken = ask("archive");
    server.until(&broken, |status| status["bytes"].as_u64() > Some(0));
    damage(&damaged);
    let failed = server.until(&broken, |status| status["status"] == "failed");
    assert!(failed["error"].is_string(), "{failed}");
    let done = ask("orders");
    server.until(&done, |status| status["status"] == "done");

    runtime().block_on(async {
        let browser = Browser::start().await;
        browser.window(880, 1015, 1.25, "light").await;
        browser.page.goto(&server.url).await.unwrap();
        let running = ask("shop");
        browser.find(".card[data-state=running]").await;
        for (place, state) in ["running", "done", "failed"].iter().enumerate() {
            let card = format!(".card:nth-child({}) .state", place + 1);
            assert_eq!(browser.text(&card).await, *state);
        }
        assert_eq!(
            browser.text(".card[data-state=failed] .error").await,
            failed["error"].as_str().unwrap()
        );
        // For the picture a curve is wanted in which something is to be seen.
        sleep(Duration::from_secs(12)).await;
        browser.find(".card[data-state=running] .plot").await;
        let picture = pictures().join("page.png");
        browser.screenshot(&picture).await;
        let size = fs::metadata(&picture).unwrap().len();
        assert!((10_000..150_000).contains(&size), "{} has {size} bytes", picture.display());

        let script = "document.querySelectorAll('details').forEach(it => it.open = true)";
        browser.page.execute(script, Vec::new()).await.unwrap();
        let mut grounds = Vec::new();
        for (width, scheme) in [(1200, "light"), (1200, "dark"), (360, "light"), (360, "dark")] {
            browser.window(width, 1500, 1.0, scheme).await;
            browser.fits(&format!("{width} {scheme}")).await;
            grounds.push(browser.eval("getComputedStyle(document.body).backgroundColor").await);
            let low = low_contrast(&browser).await;
            assert!(low.as_array().unwrap().is_empty(), "{width} {scheme}: {low}");
            browser.screenshot(&temporary().join(format!("page-{width}-{scheme}.png"))).await;
        }
        assert!(grounds[0] == grounds[2] && grounds[1] == grounds[3] && grounds[0] != grounds[1]);
        assert_eq!(server.status(&running)["status"], "running", "too fast to be looked at");
        browser.find(".cancel").await.click().await.unwrap();
        browser.find("#cancel").await;
        browser.fits("the question").await;
        browser.screenshot(&temporary().join("page-question.png")).await;
        let media = serde_json::json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
        let duration = "getComputedStyle(document.querySelector('.fill')).transitionDuration";
        assert_eq!(browser.eval(duration).await, "0.5s");
        browser.page.cdp().send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
        assert_eq!(browser.eval(duration).await, "0s");
        assert_eq!(browser.complaints().await, [""; 0]);
    });
}

/// Where pictures for the docs go: only who asks for them gets them there.
fn pictures() -> PathBuf {
    match std::env::var_os("PARTWAY_WRITE_DOCS") {
        Some(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"),
        None => temporary(),
    }
}

fn temporary() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

/// Ends a file in the middle of what SQLite expects of it.
fn damage(file: &Path) {
    let length = fs::metadata(file).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(length / 2 / 4096 * 4096)
        .unwrap();
}
