//! The log of the service, as a program reads it.

use std::fs::{self, File};
use std::process::Command;

use serde_json::Value;

use crate::support::{SLOWLY, Server, ServiceCase as Case, program};

/// What is to be found in no line.
const SECRETS: [&str; 2] = ["doing-all-is-allowed", "hidden-in-a-query"];

#[test]
fn every_line_about_an_export_has_its_id() {
    let case = Case::new(4);
    let folder = case.folder.path();
    let (store, log, tokens) = (folder.join("store"), folder.join("log"), folder.join("tokens"));
    fs::create_dir(&store).unwrap();
    fs::write(&tokens, format!("admin {}\n", SECRETS[0])).unwrap();
    let mut command = Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]).args(SLOWLY);
    command.arg(&case.file).arg("--store").arg(&store).arg("--state").arg(folder.join("state"));
    command.arg("--token-file").arg(&tokens).stderr(File::create(&log).unwrap());
    // Down to what is said in tasks and threads that an export has others do.
    command.env("PARTWAY_LOG", "info,partway=debug");
    let server = Server::spawn(command);
    let authorization = ("authorization", format!("Bearer {}", SECRETS[0]));
    let authorization = (authorization.0, authorization.1.as_str());
    let ask = |method: &str, path: &str| server.ask(method, path, &[authorization], "");

    let post = ask("POST", "/export/dump");
    let request = post.header("x-request-id").to_owned();
    let id = post.accepted();
    let until = |id: &str, is_wanted: &dyn Fn(&Value) -> bool| loop {
        let status = ask("GET", &format!("/export/status/{id}")).result(200);
        if is_wanted(&status) {
            break;
        }
    };
    until(&id, &|status| status["status"] == "done");
    assert_eq!(ask("GET", &format!("/export/download/{id}")).status, 200);
    ask("GET", &format!("/export/dump?password={}", SECRETS[1])).error(400);
    server.get("/exports").error(401);
    // Another, which fails on its way and is tried again.
    let other = ask("POST", "/export/dump").accepted();
    until(&other, &|status| status["slices"].as_u64() >= Some(2));
    // A part may be on its way into it.
    while store.exists() {
        fs::remove_dir_all(&store).ok();
    }
    until(&other, &|status| status["error"].is_string());
    server.signal("-TERM");
    assert!(server.ended().success());

    let text = fs::read_to_string(&log).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let saying = |message: &str, id: &str| {
        lines
            .iter()
            .filter(|line| line["message"] == message && line["span"]["export"] == id)
            .collect::<Vec<_>>()
    };
    assert!(saying("slice done", &id).len() > 10);
    assert!(saying("part written", &id).len() > 10);
    assert_eq!(saying("finished", &id)[0]["state"], "done");
    let failed = saying("a step failed", &other);
    assert_eq!(failed[0]["level"], "WARN");
    assert!(failed[0]["error"].is_string(), "{}", failed[0]);
    for line in &lines {
        let message = line["message"].as_str().unwrap();
        let is_about_one = ["slice done", "part written", "finished", "a step failed"];
        let path = line["span"]["path"].as_str().unwrap_or_default();
        if is_about_one.contains(&message) || path.contains(&id) || path.contains(&other) {
            assert!(
                [id.as_str(), &other].map(Value::from).contains(&line["span"]["export"]),
                "{line}"
            );
        }
        if !path.is_empty() {
            assert!(
                line["span"]["request"].is_string() && line["span"]["method"].is_string(),
                "{line}"
            );
        }
    }
    let answered = saying("answered", &id);
    let made = answered.iter().find(|line| line["span"]["request"] == request.as_str()).unwrap();
    assert_eq!(made["level"], "INFO");
    assert_eq!((&made["status"], &made["span"]["path"]), (&202.into(), &"/export/dump".into()));
    assert!(made["seconds"].as_f64() > Some(0.0), "{made}");
    let of_status = |status: u16| {
        lines
            .iter()
            .filter(|line| line["message"] == "answered" && line["status"] == status)
            .count()
    };
    assert_eq!((of_status(400), of_status(401), of_status(202)), (1, 1, 2));
}

#[test]
fn a_service_tells_what_it_does_unless_asked_otherwise() {
    let case = Case::new(1);
    let printed = |level: Option<&str>| {
        let log = case.folder.path().join("log");
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0"]).arg(&case.file);
        command.stderr(File::create(&log).unwrap()).env_remove("PARTWAY_LOG");
        command.envs(level.map(|level| ("PARTWAY_LOG", level)));
        let server = Server::spawn(command);
        server.get("/healthz").result(200);
        server.signal("-TERM");
        assert!(server.ended().success());
        fs::read_to_string(&log).unwrap()
    };
    let text = printed(None);
    let line = text.lines().find(|line| line.contains("answered")).expect(&text);
    for part in ["INFO", "method=GET", "path=\"/healthz\"", "status=200"] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(printed(Some("warn")), "");
}
