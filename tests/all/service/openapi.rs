//! What the service tells of itself, held against what it does by a client that was made of nothing else.

use std::fs;
use std::io::Write;
use std::process::Command;

use crate::support::{Server, python_tools, tiny};

const TOKEN: &str = "doing-all-is-allowed";

/// Lets schemathesis ask for all that the document has, up to so many times for each operation, and says how many
/// requests it has made.
fn try_all(server: &Server, requests: u32) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python_tools()?.join("st"));
    command.current_dir(folder.path()).args(["run", &format!("{}/openapi.json", server.url)]);
    command.args(["--max-examples", &requests.to_string(), "--header"]);
    command.arg(format!("Authorization: Bearer {TOKEN}"));
    // The same requests each time. Which tables there are, the document does not know.
    command.args(["--seed", "1", "--generation-database", "none", "--checks", "all"]);
    command.args(["--exclude-checks", "positive_data_acceptance", "--continue-on-failure"]);
    let output = command.args(["--no-color", "--warnings", "off"]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    // `1060 generated, 1060 passed, 14 skipped`
    let line = printed.lines().find(|line| line.contains(" generated, ")).expect(&printed);
    let count: u64 = line.split_whitespace().next().unwrap().parse().expect(line);
    assert!(line.contains(&format!("{count} passed")), "{printed}");
    server.ask("GET", "/healthz", &[], "").result(200);
    writeln!(std::io::stderr(), "{count} requests, by the document").ok();
    Some(count)
}

/// A service with tokens, of which next to nothing is to be had; with a store, or without.
fn serve(folder: &std::path::Path, with_store: bool) -> Server {
    let (file, tokens) = (tiny(folder), folder.join("tokens"));
    fs::write(&tokens, format!("admin {TOKEN}\n")).unwrap();
    let own = [file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()];
    if !with_store {
        return Server::start(own);
    }
    Server::with_store(folder, own.into_iter().chain(["--unfinished", "20"]))
}

#[test]
fn the_service_does_what_its_document_says() {
    let [folder, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let Some(count) = try_all(&serve(folder.path(), true), 110) else { return };
    assert!(count > 1500, "{count}");
    try_all(&serve(other.path(), false), 25);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn the_service_does_what_its_document_says_ten_thousand_times() {
    let folder = tempfile::tempdir().unwrap();
    let Some(count) = try_all(&serve(folder.path(), true), 1350) else { return };
    assert!(count > 10_000, "{count}");
}

#[test]
fn the_document_needs_no_token_and_has_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), true);
    let answer = server.get("/openapi.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    // Behind the token each is told from a path that is not there.
    let token = format!("Bearer {TOKEN}");
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "0123456789abcdef");
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let answer = server.ask(&method, &path, &[("authorization", &token)], "");
            let body = String::from_utf8_lossy(&answer.body);
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(!body.contains("nothing at"), "{method} {path}: {body}");
        }
    }
}
