//! What browsers get, and what pages in them may do.

use std::fs;
use std::process::Command;

use crate::support::{Server, ServiceCase as Case, program, tiny};

#[test]
fn a_cancel_that_comes_too_late_does_not_forget() {
    let case = Case::new(1);
    let server = case.serve([]);
    let id = server.post("/export/dump", "").accepted();
    let done = server.until(&id, |status| status["status"] == "done");
    let path = format!("/export/{id}");
    server.ask("DELETE", &format!("{path}?if=unfinished"), &[], "").error(409);
    server.ask("DELETE", &format!("{path}?if=done"), &[], "").error(400);
    assert_eq!(server.status(&id), done);
    let all = server.get("/databases").result(200);
    assert_eq!(all, serde_json::json!({ "databases": ["sample"], "keepsExports": true }));
}

#[test]
fn pages_of_an_origin_that_was_allowed_may_use_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let arguments = [file.to_str().unwrap(), "--cors", "https://admin.example"];
    let server = Server::with_store(folder.path(), arguments);
    let own = ("origin", "https://admin.example");
    let before = [own, ("access-control-request-method", "POST")];
    let asked = server.ask("OPTIONS", "/export/dump", &before, "");
    assert_eq!(asked.status, 200);
    assert_eq!(asked.header("access-control-allow-origin"), own.1);
    assert!(asked.header("access-control-allow-headers").contains("idempotency-key"));
    let made = server.ask("POST", "/export/dump", &[own, ("sec-fetch-site", "cross-site")], "");
    assert_eq!(made.header("access-control-allow-origin"), own.1);
    made.accepted();
    // Others get nothing that their browser would let them see, and can change nothing.
    let other = ("origin", "https://admin.example.org");
    server.ask("POST", "/export/dump", &[other], "").error(403);
    for (method, path) in [("OPTIONS", "/export/dump"), ("GET", "/exports")] {
        let seen = server.ask(method, path, &[other], "");
        assert!(seen.headers.get("access-control-allow-origin").is_none(), "{seen:?}");
    }
    for wrong in ["*", "admin.example", "https://admin.example/", "null", "file:///"] {
        let mut command = Command::new(program());
        let output = command.args(["serve", file.to_str().unwrap(), "--cors", wrong]).output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn what_a_browser_asks_for_another_page_is_refused_where_it_would_change_something() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let server = Server::with_store(folder.path(), [file.to_str().unwrap()]);
    let own = server.url.clone();
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["status"] == "done");
    let changes =
        [("POST", "/export/dump"), ("GET", "/export/dump"), ("DELETE", &*format!("/export/{id}"))];
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://page.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "null"),
    ] {
        for (method, path) in changes {
            let error = server.ask(method, path, &[header], "").error(403);
            assert!(error.contains("another site"), "{error}");
        }
        server.ask("GET", &format!("/export/status/{id}"), &[header], "").result(200);
    }
    assert_eq!(server.get("/exports").result(200).as_array().unwrap().len(), 1);
    for header in [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", &own)]
    {
        assert_eq!(server.ask("GET", "/export/dump", &[header], "").status, 200);
        server.ask("POST", "/export/dump", &[header], "").accepted();
    }
}

#[test]
fn the_page_comes_with_its_files_and_may_do_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "read reading-is-allowed\n").unwrap();
    let server = Server::start([file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()]);
    let page = server.get("/");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let html = String::from_utf8(page.body).unwrap();
    let mut paths = vec!["/".to_owned()];
    paths.extend(html.split('"').filter(|text| text.starts_with("/page/")).map(str::to_owned));
    let script = server.get("/page/app.js");
    let imports = String::from_utf8(script.body).unwrap();
    let imports = imports.split('"').filter_map(|text| text.strip_prefix("./"));
    paths.extend(imports.map(|name| format!("/page/{name}")));
    assert!(paths.len() >= 7, "{paths:?}");
    for path in paths {
        // Without a token, and nothing of the database in it.
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!String::from_utf8(answer.body).unwrap().contains("tiny"));
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        let tag = answer.headers["etag"].to_str().unwrap();
        let known = server.ask("GET", &path, &[("if-none-match", tag)], "");
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
    }
    server.get("/databases").error(401);
    server.get("/page/nothing").error(401);
    assert_eq!(server.ask("POST", "/", &[], "").status, 405);
}
