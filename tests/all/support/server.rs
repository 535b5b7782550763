//! The service as a process of its own, and a client of it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body};

use crate::support::{WAIT_LIMIT, memory, program, signal};

/// A running service; it dies with this.
pub struct Server {
    child: Child,
    /// Its address, without a path.
    pub url: String,
    agent: Agent,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct ReadResponse {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Server {
    /// `partway serve …` on a free port, with state and store in `folder`.
    pub fn with_store<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let store = folder.join("store");
        std::fs::create_dir_all(&store).unwrap();
        let state = folder.join("state");
        let own = ["--store", store.to_str().unwrap(), "--state", state.to_str().unwrap()];
        Self::start(own.into_iter().chain(arguments.into_iter().collect::<Vec<&str>>()))
    }

    /// `partway serve …` on a free port.
    pub fn start<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    /// `partway serve …` at an address.
    pub fn start_at<'a>(address: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", "--listen", address]).args(arguments);
        command.env("PARTWAY_LOG", "warn");
        Self::spawn(command)
    }

    /// A command that is `partway serve …` on a free port.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("its address").to_owned();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(WAIT_LIMIT))
            .build();
        Self { child, url, agent: config.into() }
    }

    /// GETs a path.
    pub fn get(&self, path: &str) -> ReadResponse {
        self.ask("GET", path, &[], "")
    }

    /// POSTs JSON to a path.
    pub fn post(&self, path: &str, json: &str) -> ReadResponse {
        self.ask("POST", path, &[("content-type", "application/json")], json)
    }

    /// Asks, and reads the answer to its end.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> ReadResponse {
        let mut response = self.open(method, path, headers, body);
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec().unwrap();
        ReadResponse { status, headers, body }
    }

    /// Asks, and leaves the body to be read.
    pub fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_empty() {
            self.agent.run(request.body(()).unwrap()).unwrap()
        } else {
            self.agent.run(request.body(body.to_owned()).unwrap()).unwrap()
        }
    }

    /// The status of an export.
    pub fn status(&self, id: &str) -> Value {
        self.get(&format!("/export/status/{id}")).result(200)
    }

    /// Asks for the status until it is as wanted.
    pub fn until(&self, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = self.status(id);
            if is_wanted(&status) {
                return status;
            }
            assert!(began.elapsed() < WAIT_LIMIT, "{status}");
            sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// How it ends.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The memory that it uses, in MiB.
    pub fn memory(&self) -> u64 {
        self.memory_line("VmRSS:")
    }

    /// The most memory that it has used, in MiB.
    pub fn peak_memory(&self) -> u64 {
        self.memory_line("VmHWM:")
    }

    fn memory_line(&self, name: &str) -> u64 {
        memory(&self.child, name).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl ReadResponse {
    /// A header, which must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// The result of a good answer.
    #[track_caller]
    pub fn result(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert!(body.get("error").is_none(), "{body}");
        body["result"].clone()
    }

    /// The error of another, of the form that all have.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/json");
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert!(body["result"].is_null() && body.as_object().unwrap().len() == 2, "{body}");
        body["error"].as_str().unwrap().to_owned()
    }

    /// The id of an export that was accepted.
    #[track_caller]
    pub fn accepted(&self) -> String {
        let ticket = self.result(202);
        let id = ticket["exportId"].as_str().unwrap().to_owned();
        assert_eq!(ticket["statusUrl"], format!("/export/status/{id}"));
        assert_eq!(ticket["downloadUrl"], format!("/export/download/{id}"));
        assert_eq!(self.header("location"), format!("/export/status/{id}"));
        assert!(self.header("retry-after").parse::<u64>().unwrap() > 0);
        id
    }
}

/// Reads a body to its end, or to where it breaks off.
pub fn read(response: &mut Response<Body>) -> std::io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    response.body_mut().with_config().limit(u64::MAX).reader().read_to_end(&mut whole)?;
    Ok(whole)
}
