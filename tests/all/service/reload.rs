//! SIGHUP: files of secrets are read again, or stay what they were.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::callbacks::is_signed_with;
use crate::support::{Receiver, Reply, Server, WAIT_LIMIT, program, tiny};

struct Case {
    server: Server,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let file = tiny(folder.path());
        fs::create_dir(at("store")).unwrap();
        fs::write(at("tokens"), "admin the-first-of-tokens\n").unwrap();
        fs::write(at("secret"), "the first secret of all\n").unwrap();
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--callback-allow", "127.0.0.1"]);
        command.arg(file).arg("--store").arg(at("store")).arg("--state").arg(at("state"));
        command.arg("--token-file").arg(at("tokens"));
        command.arg("--callback-secret-file").arg(at("secret"));
        command.env("PARTWAY_LOG", "info").stderr(File::create(at("log")).unwrap());
        Self { server: Server::spawn(command), folder }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Signals, and waits until the log has one more line that says so.
    fn reload(&self, expected: &str) {
        let count = || {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            log.matches(expected).count()
        };
        let before = count();
        self.server.signal("-HUP");
        let began = Instant::now();
        while count() == before {
            assert!(began.elapsed() < WAIT_LIMIT, "the log does not say {expected:?}");
            sleep(Duration::from_millis(10));
        }
    }

    fn ask(&self, token: &str) -> u16 {
        let token = format!("Bearer {token}");
        self.server.ask("GET", "/exports", &[("authorization", &token)], "").status
    }
}

#[test]
fn tokens_are_exchanged_while_the_service_runs() {
    let case = Case::new();
    assert_eq!((case.ask("the-first-of-tokens"), case.ask("the-second-of-tokens")), (200, 401));
    case.write("tokens", "admin the-second-of-tokens\n");
    // Nobody has asked for it yet.
    assert_eq!((case.ask("the-first-of-tokens"), case.ask("the-second-of-tokens")), (200, 401));
    case.reload("the token file was read again");
    assert_eq!((case.ask("the-first-of-tokens"), case.ask("the-second-of-tokens")), (401, 200));

    for (text, reason) in [
        ("admin the-third-of-tokens\nadmin short\n", "the token on line 2 has fewer than"),
        ("", "the file has no tokens"),
        ("somebody the-third-of-tokens\n", "line 1 is neither"),
    ] {
        case.write("tokens", text);
        case.reload(reason);
        assert_eq!((case.ask("the-third-of-tokens"), case.ask("the-second-of-tokens")), (401, 200));
    }
    fs::remove_file(case.folder.path().join("tokens")).unwrap();
    case.reload("the file can't be read");
    assert_eq!(case.ask("the-second-of-tokens"), 200);
    let log = fs::read_to_string(case.folder.path().join("log")).unwrap();
    assert!(!log.contains("of-tokens"), "{log}");
}

#[test]
fn callbacks_are_signed_with_the_secret_that_was_read_last() {
    let case = Case::new();
    let receiver = Receiver::new(&[Reply::Status(200)]);
    let export = |number: usize| {
        let wish = json!({ "callbackUrl": receiver.url }).to_string();
        let headers =
            [("authorization", "Bearer the-first-of-tokens"), ("content-type", "application/json")];
        case.server.ask("POST", "/export/dump", &headers, &wish).accepted();
        receiver.wait(number, WAIT_LIMIT).remove(number - 1)
    };
    is_signed_with(&export(1), "the first secret of all");
    case.write("secret", "the second secret of all\n");
    case.reload("the callback secret was read again");
    is_signed_with(&export(2), "the second secret of all");
    // A file that can't be used keeps nothing else from being read.
    case.write("secret", "short\n");
    case.reload("fewer than 16 bytes");
    is_signed_with(&export(3), "the second secret of all");
}

#[test]
fn without_files_to_read_again_a_hangup_ends_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &tiny(folder.path());
    let server = Server::start([file.to_str().unwrap()]);
    server.signal("-HUP");
    assert_eq!(server.ended().code(), None);
}
