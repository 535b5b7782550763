//! Exports to a real S3 server over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_store::Store;
use partway_testbed::write_sample;

use crate::support::{
    Program, S3Server, WAIT_LIMIT, database, export, garage, runtime, s3_against, sha256, summary,
    wait_for_parts,
};

const MIB: u64 = 1024 * 1024;

#[test]
fn an_export_arrives_whole_and_in_equal_parts() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 24).unwrap();
    let reference = export(&file, folder.path(), MIB as u32, || u32::MAX).finished.sha256;

    // Killed on the way, so that the server's parts can be looked at. It rests after every slice, and is never done
    // before that, however busy the machine.
    let run = || server.export(&file, "exports", folder.path()).with(["--slice-parts", "1"]);
    let mut first = run().with(["--pause", "1s"]);
    let mut child = first.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while server.parts().len() < 3 {
        assert!(began.elapsed() < WAIT_LIMIT, "{:?}", server.parts());
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let parts = server.parts();
    assert!(parts.len() >= 3, "{parts:?}");
    // The last of them may be half written.
    assert!(parts.values().filter(|length| **length == 5 * MIB).count() >= parts.len() - 1);

    let output = run().run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("resuming"), "{printed}");
    let summary = summary(&output);
    let bytes = summary["bytes"].as_u64().unwrap();
    assert_eq!(summary["parts"].as_u64().unwrap(), bytes.div_ceil(5 * MIB));
    assert_eq!(summary["sha256"], reference.as_str());
    let location = summary["location"].as_str().unwrap();
    assert!(location.starts_with("s3://exports/nightly/dump_"), "{location}");
    let object = server.object(location.rsplit('/').next().unwrap());
    assert_eq!(sha256(&object), reference);
    assert_eq!(server.parts(), BTreeMap::new());
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a);"));
    for expected in ["s3://exports/nightly/a.sql", "s3://exports/nightly/a-2.sql"] {
        let run = server.export(&file, "exports", folder.path()).with(["--name", "a.sql"]);
        assert_eq!(run.succeed()["location"], expected);
    }
    assert!(server.object("a.sql").exists() && server.object("a-2.sql").exists());
}

#[test]
fn a_store_that_refuses_is_named() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a);"));
    let mut refused = server.export(&file, "exports", folder.path());
    refused.command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    let small = server.export(&file, "exports", folder.path()).with(["--part-size", "1MiB"]);
    for (run, code, expected) in [
        (refused, 1, "can't be written to"),
        (small, 2, "1048576 bytes is too small for this store: the minimum is 5242880"),
    ] {
        let output = run.run();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains(expected), "{printed}");
    }
    assert_eq!(server.parts(), BTreeMap::new());
}

#[test]
fn a_dump_in_a_bucket_is_verified() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 12).unwrap();
    let exported = server.export(&file, "exports", folder.path()).succeed();
    let location = exported["location"].as_str().unwrap();
    let verify = |location: &str| server.with(Program::verify(location)).with(["--json"]);
    let against = ["--against", file.to_str().unwrap()];

    let outcome = summary(&verify(location).with(against).run());
    for field in ["bytes", "sha256", "tables", "rows"] {
        assert_eq!(outcome[field], exported[field], "{field}");
    }
    assert_eq!(outcome["differences"], 0);

    let object = server.object(location.rsplit('/').next().unwrap());
    let length = fs::metadata(&object).unwrap().len();
    fs::File::options().write(true).open(&object).unwrap().set_len(length - 1).unwrap();
    let mut refused = verify(location);
    refused.command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    for (run, expected) in [
        (verify(location), format!("{location} is cut off after {} bytes", length - 1)),
        (verify("s3://exports/nightly/x.sql"), "s3://exports/nightly/x.sql does not exist".into()),
        (verify("s3://nothing/x.sql"), "s3://nothing/x.sql does not exist".into()),
        (refused, format!("{location} can't be read")),
    ] {
        let output = run.run();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains(&expected), "{printed}");
    }
}

/// The server above does not tell a bucket from an object that is missing; Amazon's and Cloudflare's do.
#[test]
fn a_bucket_that_is_missing_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code>\
                        <Message>The specified bucket does not exist</Message></Error>";
            let length = body.len();
            let head =
                "HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nConnection: close";
            write!(socket, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    let output = s3_against(address, Program::verify("s3://nothing/a/x.sql")).run();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("bucket s3://nothing does not exist: "), "{printed}");
}

#[test]
fn an_export_to_garage_arrives_whole_through_a_kill() {
    let Some(server) = garage() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 24).unwrap();
    let reference = export(&file, folder.path(), MIB as u32, || u32::MAX).finished.sha256;
    let store = server.prefix("killed");
    let run = || {
        let run = Program::export(&file, &store, folder.path()).with(["--slice-parts", "1"]);
        server.with(run)
    };

    // It rests after every slice, and is never done before it is killed, however fast the machine.
    let mut first = run().with(["--pause", "1s"]);
    let mut child = first.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_parts(folder.path(), 2);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it had ended before it was killed");
    let is_begun = || {
        runtime()
            .block_on(server.store(&store).incomplete_uploads())
            .is_ok_and(|found| !found.is_empty())
    };
    assert!(is_begun(), "the upload it had begun is gone");

    let output = run().run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("resuming"), "{printed}");
    let summary = summary(&output);
    assert_eq!(summary["sha256"], reference.as_str());
    assert!(!is_begun());
    let location = summary["location"].as_str().unwrap();
    assert!(location.starts_with(&store), "{location}");
    server.with(Program::verify(location).with(["--sha256", &reference, "--json"])).succeed();
}
