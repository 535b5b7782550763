//! The service over a real S3 server.

use std::process::Command;
use std::time::Duration;

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

use crate::support::{Program, Server, ServiceCase as Case, garage, program, read};

#[test]
fn an_export_to_garage_is_downloaded_here_or_there() {
    let Some(garage) = garage() else { return };
    let case = Case::new(24);
    let (store, state) = (garage.prefix("serve"), case.folder.path().join("state"));
    let mut command = Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", &store, "--slice-parts", "1"]);
    command.arg("--state").arg(state).arg(&case.file).env("PARTWAY_LOG", "warn");
    let server = Server::spawn(garage.with(Program { command }).command);
    let wish = r#"{"name": "täglich 1.sql"}"#;
    let id = server.post("/export/dump", wish).accepted();
    let done = server.until(&id, |status| status["status"] == "done");
    assert_eq!(done["sha256"], case.reference.as_str());
    assert!(done["location"].as_str().unwrap().starts_with(&store), "{done}");
    assert!(done["slices"].as_u64() > Some(2), "{done}");

    let path = format!("/export/download/{id}");
    let whole = server.get(&path);
    assert_eq!(whole.status, 200);
    case.is_whole(&whole.body);
    let part = server.ask("GET", &path, &[("range", "bytes=5242870-5242889")], "");
    assert_eq!(part.status, 206);
    // Over the border of two of its parts.
    assert!(part.body == whole.body[5_242_870..5_242_890]);

    let elsewhere = server.get(&format!("{path}?redirect=1"));
    assert_eq!((elsewhere.status, elsewhere.body.len()), (307, 0));
    assert_eq!(elsewhere.header("cache-control"), "no-store");
    let url = elsewhere.header("location");
    assert!(!url.starts_with(&server.url) && url.contains("X-Amz-Expires=300"), "{url}");
    // With nothing but the URL.
    let mut there = ureq::get(url)
        .config()
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .call()
        .unwrap();
    assert_eq!(
        there.headers()["content-disposition"].as_bytes(),
        whole.headers["content-disposition"].as_bytes()
    );
    assert_eq!(hex(&Sha256::digest(read(&mut there).unwrap())), case.reference);
    let head = server.ask("HEAD", &format!("{path}?redirect=1"), &[], "");
    assert_eq!((head.status, head.header("etag")), (200, whole.header("etag")));

    let unsigned = url.split_once('?').unwrap().0;
    assert!(ureq::get(unsigned).call().is_err());
}
