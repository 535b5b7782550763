//! Whether the service can do its work, as a load balancer asks.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Program, ReadResponse, S3Server, Server, WAIT_LIMIT, program, tiny};

/// Asks until it is ready, or is not.
#[track_caller]
fn wait(server: &Server, status: u16) -> ReadResponse {
    let began = Instant::now();
    loop {
        let answer = server.get("/readyz");
        if answer.status == status {
            return answer;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{answer:?}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_can_t_be_used_is_named_and_strangers_learn_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tokens) = (tiny(folder.path()), folder.path().join("tokens"));
    fs::write(&tokens, "read reading-is-allowed\n").unwrap();
    let own = [file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()];
    let server = Server::with_store(folder.path(), own);
    assert_eq!(server.get("/readyz").result(200)["status"], "ready");

    let away = folder.path().join("away");
    let of_friend = |server: &Server| {
        let token = [("authorization", "Bearer reading-is-allowed")];
        server.ask("GET", "/readyz", &token, "").error(503)
    };
    for (path, what, in_full) in [
        (folder.path().join("store"), "not ready: the store", "not ready: the store"),
        (file.clone(), "not ready: a database", "not ready: the database \"tiny\""),
        (
            folder.path().join("state/jobs.db"),
            "not ready: the saved jobs",
            "not ready: the saved jobs",
        ),
    ] {
        fs::rename(&path, &away).unwrap();
        let broken = wait(&server, 503);
        assert_eq!(broken.error(503), what);
        assert!(broken.header("retry-after").parse::<u64>().unwrap() > 0);
        assert_eq!(of_friend(&server), in_full);
        fs::rename(&away, &path).unwrap();
        wait(&server, 200);
    }
    // With nothing but the database, nothing else is asked for.
    let server = Server::start([file.to_str().unwrap()]);
    wait(&server, 200);
    fs::rename(&file, &away).unwrap();
    assert_eq!(wait(&server, 503).error(503), "not ready: the database \"tiny\"");
}

#[test]
fn a_store_that_does_not_answer_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let s3 = S3Server::start();
    let mut command = std::process::Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", "s3://exports/nightly"]);
    command.arg("--state").arg(folder.path().join("state")).arg(&file);
    command.env("PARTWAY_LOG", "error");
    let server = Server::spawn(s3.with(Program { command }).command);
    wait(&server, 200);
    drop(s3);
    let began = Instant::now();
    assert_eq!(wait(&server, 503).error(503), "not ready: the store");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
