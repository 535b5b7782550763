//! What pages in browsers may do.

use partway_tests::{Server, tiny};

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
