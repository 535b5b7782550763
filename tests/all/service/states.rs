//! The states of exports: what is incomplete is not called done, and the docs say what there is.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    Receiver, Reply, Server, ServiceCase, WAIT_LIMIT, damage, of_many_pages, read,
};

fn docs() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SERVICE.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_export_of_a_damaged_database_is_incomplete_wherever_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let receiver = Receiver::new(&[Reply::Status(200)]);
    let own = [file.to_str().unwrap(), "--callback-allow", "127.0.0.1"];
    let server = Server::with_store(folder.path(), own);
    let wish = json!({ "callbackUrl": receiver.url }).to_string();
    let id = server.post("/export/dump", &wish).accepted();
    let status = server.until(&id, |status| status["finishedAt"].is_string());
    assert_eq!(status["status"], "incomplete");
    assert!(!status["damaged"].as_array().unwrap().is_empty(), "{status}");
    let message: Value =
        serde_json::from_str(&receiver.wait(1, WAIT_LIMIT).remove(0).body).unwrap();
    assert_eq!((&message["status"], &message["damaged"]), (&status["status"], &status["damaged"]));
    assert_eq!(server.get("/exports").result(200)[0]["status"], "incomplete");
    let events = server.get(&format!("/export/status/{id}/events"));
    let text = String::from_utf8(events.body).unwrap();
    assert!(text.contains("\"status\":\"incomplete\"") && text.contains("id: final"), "{text}");
    // What could be read can be had.
    let object = server.get(&format!("/export/download/{id}"));
    assert_eq!(object.status, 200);
    assert_eq!(object.body.len() as u64, status["bytes"].as_u64().unwrap());
    let removed = server.ask("DELETE", &format!("/export/{id}"), &[], "").result(200);
    assert_eq!((&removed["status"], &removed["pruned"]), (&json!("incomplete"), &json!(true)));
    // A stream ends before its end.
    let streaming = Server::start([file.to_str().unwrap()]);
    read(&mut streaming.open("GET", "/export/dump", &[], "")).unwrap_err();
}

#[test]
fn the_docs_have_every_state() {
    let case = ServiceCase::new(1);
    let server = case.serve([]);
    let document: Value = serde_json::from_slice(&server.get("/openapi.json").body).unwrap();
    let described = &document["components"]["schemas"]["ExportState"];
    let described: Vec<&str> = match described["enum"].as_array() {
        Some(states) => states.iter().map(|state| state.as_str().unwrap()).collect(),
        None => panic!("{described}"),
    };
    let docs = docs();
    let (_, rest) = docs.split_once("\n## States\n").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let listed: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(state, _)| state)
        .filter(|state| *state != "status")
        .collect();
    assert_eq!(listed, described);
}

/// What a value is, whatever it says.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => "time",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn the_callback_in_the_docs_is_what_a_callback_is() {
    let case = ServiceCase::new(1);
    let receiver = Receiver::new(&[Reply::Status(200)]);
    let server = case.serve(["--callback-allow", "127.0.0.1"]);
    let wish = json!({ "callbackUrl": receiver.url }).to_string();
    server.post("/export/dump", &wish).accepted();
    let sent = receiver.wait(1, WAIT_LIMIT).remove(0).body;
    let docs = docs();
    let sample = docs.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let (sent, sample): (Value, Value) =
        (serde_json::from_str(&sent).unwrap(), serde_json::from_str(sample).unwrap());
    let kinds = |value: &Value| -> Vec<(String, &'static str)> {
        let fields = value.as_object().unwrap().iter();
        fields.map(|(name, value)| (name.clone(), kind(value))).collect()
    };
    assert_eq!(kinds(&sample), kinds(&sent));
    let sample_id = sample["exportId"].as_str().unwrap();
    assert_eq!(sample_id.len(), sent["exportId"].as_str().unwrap().len());
    for (field, name) in [("statusUrl", "status"), ("downloadUrl", "download")] {
        for (message, id) in [(&sample, sample_id), (&sent, sent["exportId"].as_str().unwrap())] {
            assert_eq!(message[field], format!("/export/{name}/{id}"));
        }
    }
    assert_eq!(sample["sha256"].as_str().unwrap().len(), 64);
}
