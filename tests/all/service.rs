//! Exports over HTTP, as a client sees them.

mod browsers;
mod callbacks;
mod chaos;
mod events;
mod forgetting;
mod identity;
mod limits;
mod load;
mod logs;
mod metrics;
mod openapi;
mod page;
mod readiness;
mod reload;
mod s3;
mod schedules;
mod states;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{
    SLOWLY, Server, ServiceCase as Case, WAIT_LIMIT, damage, of_many_pages, program, read, tiny,
};

#[test]
fn a_small_database_comes_in_the_answer() {
    let case = Case::new(1);
    let server = case.serve([]);
    let answer = server.get("/export/dump");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/sql");
    let name = case.stored().remove(0).file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    assert_eq!(answer.header("etag"), format!("\"{}\"", case.reference));
    case.is_whole(&answer.body);
    // It can be had again.
    let again = server.get(answer.header("content-location"));
    assert!(again.body == answer.body);
    let all = server.get("/exports").result(200);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["status"], "done");
    assert_eq!(all[0]["sha256"], case.reference.as_str());
}

#[test]
fn other_formats_come_with_their_types_and_options() {
    let case = Case::new(1);
    let server = case.serve([]);
    for (query, kind, begin) in [
        ("format=csv&table=products&null=NULL", "text/csv; charset=utf-8", "\"id\","),
        ("format=csv&table=products&header=false", "text/csv; charset=utf-8", "1,"),
        ("format=ndjson", "application/x-ndjson", "{\"table\":"),
        ("format=json&blobs=hex", "application/json", "{\n\""),
        ("format=parquet&table=products", "application/vnd.apache.parquet", "PAR1"),
    ] {
        let answer = server.get(&format!("/export/dump?{query}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{query}");
        let format = query.split(['=', '&']).nth(1).unwrap();
        assert!(answer.header("content-disposition").ends_with(&format!(".{format}\"")));
        assert!(answer.body.starts_with(begin.as_bytes()), "{query}");
    }
    let answer = server.get("/export/dump?format=csv&table=products&limit=1&compress=gzip");
    assert_eq!(answer.header("content-type"), "application/gzip");
    assert!(answer.header("content-disposition").ends_with(".csv.gz\""));
    let body = r#"{"format":"csv","tables":["products"],"header":false,"null":"-"}"#;
    let id = server.post("/export/dump", body).accepted();
    server.until(&id, |status| status["status"] == "done");
    assert!(server.get(&format!("/export/download/{id}")).body.starts_with(b"1,"));
    for (query, told) in [
        ("format=csv", "choose one with the option table"),
        ("format=csv&content=schema", "format \"csv\" has rows alone"),
        ("null=x", "null can't be used with format sql: it is for csv"),
        ("format=json&header=false", "header can't be used with format json"),
        ("format=parquet", "a Parquet file has one table"),
        ("format=csv&types=stored", "types can't be used with format csv: it is for parquet"),
        ("format=csv&blobs=raw", "there is no encoding of blobs \"raw\": use hex or base64"),
    ] {
        assert!(server.get(&format!("/export/dump?{query}")).error(400).contains(told), "{query}");
    }
}

#[test]
fn what_takes_long_is_asked_for_watched_and_downloaded() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY.into_iter().chain(["--inline-within", "300ms"]));
    let id = server.get("/export/dump?database=sample").accepted();
    let early = server.get(&format!("/export/download/{id}"));
    assert!(early.error(409).contains("not done"));
    assert!(early.header("retry-after").parse::<u64>().unwrap() > 0);

    let first = server.until(&id, |status| status["parts"].as_u64() >= Some(3));
    assert_eq!(first["status"], "running");
    assert_eq!(first["database"], "sample");
    for what in ["rows", "tables"] {
        assert!(first[what]["done"].as_u64() <= first[what]["expected"].as_u64(), "{first}");
    }
    assert!(first["rows"]["done"].as_u64() > Some(0), "{first}");
    assert!(first["bytesPerSecond"].as_f64() > Some(0.0), "{first}");
    assert!(first["expectedEnd"].is_string(), "{first}");
    let moved = |status: &serde_json::Value| status["bytes"].as_u64() > first["bytes"].as_u64();
    server.until(&id, moved);
    let done = server.until(&id, |status| status["status"] == "done");
    assert_eq!(done["sha256"], case.reference.as_str());
    assert_eq!(done["rows"]["done"], done["rows"]["expected"]);
    assert!(done["slices"].as_u64() > Some(10), "{done}");
    assert!(done["error"].is_null() && done["expectedEnd"].is_null(), "{done}");

    let path = format!("/export/download/{id}");
    let whole = server.get(&path);
    assert_eq!(whole.status, 200);
    case.is_whole(&whole.body);
    let tag = whole.header("etag").to_owned();
    let length = whole.body.len();
    assert_eq!(done["bytes"].as_u64(), Some(length as u64));

    let head = server.ask("HEAD", &path, &[], "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "content-disposition", "etag", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let ranged = |range: &str, tag: &str| {
        server.ask("GET", &path, &[("range", range), ("if-range", tag)], "")
    };
    // As a client goes on with what has broken off.
    let rest = ranged("bytes=100000-", &tag);
    assert_eq!(rest.status, 206);
    assert_eq!(rest.header("content-range"), format!("bytes 100000-{}/{length}", length - 1));
    assert!(rest.body == whole.body[100_000..]);
    assert!(ranged("bytes=7-9", &tag).body == whole.body[7..10]);
    assert!(ranged("bytes=-5", &tag).body == whole.body[length - 5..]);
    let other = ranged("bytes=7-9", "\"of another\"");
    assert!(other.status == 200 && other.body == whole.body);
    let beyond = ranged(&format!("bytes={length}-"), &tag);
    beyond.error(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    // A folder is nowhere to be sent on to.
    assert!(server.get(&format!("{path}?redirect=1")).error(400).contains("folder"));
    server.get(&format!("{path}?redirect=2")).error(400);
    let known = server.ask("GET", &path, &[("if-none-match", &tag)], "");
    assert_eq!((known.status, known.body.len()), (304, 0));

    let object = case.stored().remove(0);
    // Another that has its name is not it.
    fs::write(&object, "another").unwrap();
    assert!(server.get(&path).error(410).contains("another"));
    fs::remove_file(&object).unwrap();
    server.get(&path).error(410);
}

#[test]
fn what_is_too_large_is_not_waited_for() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY.into_iter().chain(["--inline-size", "256KiB"]));
    let began = Instant::now();
    let id = server.get("/export/dump").accepted();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_ne!(server.status(&id)["status"], "done");
    server.until(&id, |status| status["status"] == "done");
}

#[test]
fn a_killed_service_goes_on_and_knows_who_asked() {
    let case = Case::new(4);
    let key = ("idempotency-key", "one of ours");
    let json = ("content-type", "application/json");
    let ask = |server: &Server, body: &str| server.ask("POST", "/export/dump", &[key, json], body);
    let server = case.serve(SLOWLY);
    let wish = r#"{"name": "nightly.sql"}"#;
    let id = ask(&server, wish).accepted();
    assert_eq!(ask(&server, wish).accepted(), id);
    server.until(&id, |status| status["slices"].as_u64() >= Some(3));
    server.signal("-KILL");
    drop(server);

    let server = case.serve(SLOWLY);
    assert_eq!(ask(&server, wish).accepted(), id);
    assert!(ask(&server, "{}").error(422).contains(&id));
    let status = server.status(&id);
    assert!(status["slices"].as_u64() >= Some(3), "begun anew: {status}");
    let done = server.until(&id, |status| status["status"] == "done");
    assert_eq!(done["name"], "nightly.sql");
    case.is_whole(&server.get(&format!("/export/download/{id}")).body);
    assert_eq!(ask(&server, wish).accepted(), id);
    assert_eq!(case.stored().len(), 1);
}

#[test]
fn a_stopped_service_saves_what_it_does_and_answers_who_waits() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY);
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["slices"].as_u64() >= Some(2));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/export/dump").accepted());
        sleep(Duration::from_millis(500));
        server.signal("-TERM");
        waiting.join().unwrap();
    });
    let began = Instant::now();
    assert_eq!(server.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10));

    let server = case.serve([]);
    let done = server.until(&id, |status| status["status"] == "done");
    assert!(done["slices"].as_u64() >= Some(2), "{done}");
    assert_eq!(done["sha256"], case.reference.as_str());
}

#[test]
fn without_a_store_a_dump_is_streamed_no_faster_than_it_is_taken() {
    let case = Case::new(24);
    let other = tiny(case.folder.path());
    let named = format!("other={}", other.display());
    let server =
        Server::start([case.file.to_str().unwrap(), "--database", &named, "--exports", "1"]);
    let mut response = server.open("GET", "/export/dump?name=all.sql", &[], "");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"all.sql\"");
    // Nobody takes it: it has not come to its end, which its turn shows.
    sleep(Duration::from_secs(2));
    let busy = server.get("/export/dump?database=other");
    busy.error(429);
    assert!(busy.header("retry-after").parse::<u64>().unwrap() > 0);
    case.is_whole(&read(&mut response).unwrap());
    let memory = server.peak_memory();
    assert!(memory < 200, "{memory} MiB");

    let began = Instant::now();
    let second = loop {
        let answer = server.get("/export/dump?database=other");
        if answer.status == 200 {
            break answer;
        }
        assert!(began.elapsed() < WAIT_LIMIT);
    };
    assert!(String::from_utf8(second.body).unwrap().contains("CREATE TABLE t (a)"));
    server.get("/exports").error(404);
    server.post("/export/dump", "{}").error(404);
}

#[test]
fn a_stream_that_fails_has_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let server = Server::start([file.to_str().unwrap()]);
    let mut response = server.open("GET", "/export/dump", &[], "");
    assert_eq!(response.status(), 200);
    let broken = read(&mut response).unwrap_err();
    assert!(
        matches!(broken.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::Other),
        "{broken:?}"
    );
    // The service itself goes on.
    server.get("/healthz").result(200);
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_the_service_from_stopping() {
    let case = Case::new(24);
    let server = Server::start([case.file.to_str().unwrap(), "--drain", "1s"]);
    let mut response = server.open("GET", "/export/dump", &[], "");
    assert_eq!(response.status(), 200);
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900), "not waited for: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    // And it knows that what it has is not the whole.
    read(&mut response).unwrap_err();
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let case = Case::new(1);
    let server = case.serve([]);
    for (body, reason) in [
        ("{", "can't be read"),
        ("[]", "can't be read"),
        (r#"{"tables": "t"}"#, "can't be read"),
        (r#"{"tabels": ["t"]}"#, "unknown field"),
        (r#"{"tables": ["nope"]}"#, "no such table"),
        (r#"{"format": "xml"}"#, "xml"),
        (r#"{"target": "oracle"}"#, "sqlite or d1"),
        (r#"{"name": "../../etc/passwd"}"#, "plain name"),
        (r#"{"name": ".hidden"}"#, "plain name"),
        (r#"{"name": "a/b"}"#, "plain name"),
    ] {
        let error = server.post("/export/dump", body).error(400);
        assert!(error.contains(reason), "{body}: {error}");
    }
    server.post("/export/dump", r#"{"database": "nope"}"#).error(404);
    server.post("/export/dump?database=sample", r#"{"database": "other"}"#).error(400);
    server.get("/export/dump?database=../sample.db").error(404);
    server.get("/export/dump?databse=sample").error(400);
    server.get("/export/dump?table=nope").error(400);
    server.get("/exports?limit=0").error(400);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    server.ask("POST", "/export/dump", &form, "{}").error(415);
    server.post("/export/dump", &format!("{{\"name\": \"{}\"}}", "a".repeat(70_000))).error(413);
    let long = "k".repeat(256);
    server.ask("POST", "/export/dump", &[("idempotency-key", &long)], "").error(400);

    // An id is never part of a path in the store, nor how one begins.
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["status"] == "done");
    for id in [&id[..6], "0123456789abcdef", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "sample.db"] {
        for path in ["status", "download"] {
            server.get(&format!("/export/{path}/{id}")).error(404);
        }
        server.ask("DELETE", &format!("/export/{id}"), &[], "").error(404);
    }
    server.get("/nothing").error(404);
    for (method, path) in [
        ("PUT", "/export/dump"),
        ("DELETE", "/export/dump"),
        ("POST", "/exports"),
        ("GET", "/export/0123456789abcdef"),
        ("POST", "/healthz"),
    ] {
        let answer = server.ask(method, path, &[], "");
        answer.error(405);
        assert!(!answer.header("allow").is_empty(), "{method} {path}");
    }
    // What is no HTTP at all leaves the service as it is.
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.write_all(b"\x16\x03\x01\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).ok();
    server.get("/healthz").result(200);
    // Of all that nothing was made.
    assert_eq!(case.stored().len(), 1);
}

#[test]
fn tokens_say_who_may_read_and_who_may_do_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "read reading-is-allowed\n# more\nadmin doing-all-is-allowed\n").unwrap();
    let server = Server::with_store(
        folder.path(),
        [file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()],
    );
    let ask = |method: &str, path: &str, authorization: &str| {
        server.ask(method, path, &[("authorization", authorization)], "")
    };
    let none = server.get("/exports");
    none.error(401);
    assert_eq!(none.header("www-authenticate"), "Bearer");
    for wrong in ["Bearer nothing-of-ours-here", "Bearer ", "Basic cmVhZA==", "reading-is-allowed"]
    {
        ask("GET", "/export/dump", wrong).error(401);
    }
    server.get("/nothing").error(401);
    server.get("/healthz").result(200);

    let read = "Bearer reading-is-allowed";
    assert_eq!(ask("GET", "/export/dump", read).status, 200);
    let id = ask("GET", "/exports", read).result(200)[0]["exportId"].as_str().unwrap().to_owned();
    ask("POST", "/export/dump", read).error(403);
    ask("DELETE", &format!("/export/{id}"), read).error(403);
    let admin = "bearer doing-all-is-allowed";
    ask("POST", "/export/dump", admin).accepted();
    for _ in 0..2 {
        ask("DELETE", &format!("/export/{id}"), admin).result(200);
    }
    ask("GET", &format!("/export/status/{id}"), read).error(404);
}

#[test]
fn without_tokens_only_this_machine_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let output = Command::new(program())
        .arg("serve")
        .arg(&file)
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("--token-file"), "{printed}");

    // Nor a page whose name was made to lead here.
    let server = Server::start([file.to_str().unwrap()]);
    server.ask("GET", "/export/dump", &[("host", "page.example")], "").error(403);
    assert_eq!(server.ask("GET", "/export/dump", &[("host", "localhost:8787")], "").status, 200);
}

#[test]
fn what_is_not_there_is_a_failure_and_no_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let missing = folder.path().join("missing");
    let [file, missing] = [&file, &missing].map(|path| path.to_str().unwrap());
    let run = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(printed.contains("missing"), "{printed}");
        output.status.code()
    };
    assert_eq!(run(&["export", missing]), Some(1));
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    assert_eq!(run(&[&serve[..], &[missing]].concat()), Some(1));
    assert_eq!(run(&[&serve[..], &[file, "--token-file", missing]].concat()), Some(1));
}

#[test]
fn an_export_is_cancelled_or_forgotten() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY.into_iter().chain(["--unfinished", "2", "--exports", "1"]));
    let first = server.post("/export/dump", "").accepted();
    let second = server.post("/export/dump", "").accepted();
    let full = server.post("/export/dump", "");
    full.error(429);
    assert!(full.header("retry-after").parse::<u64>().unwrap() > 0);

    server.until(&first, |status| status["slices"].as_u64() >= Some(2));
    let cancelled = server.ask("DELETE", &format!("/export/{first}"), &[], "").result(202);
    assert_eq!(cancelled["exportId"], first.as_str());
    let status = server.until(&first, |status| status["status"] == "cancelled");
    assert!(status["location"].is_null());
    server.get(&format!("/export/download/{first}")).error(410);

    let done = server.until(&second, |status| status["status"] == "done");
    assert_eq!(done["sha256"], case.reference.as_str());
    // The cancelled one has left nothing.
    assert_eq!(case.stored().len(), 1);
    // What is done loses its object first, and is then forgotten.
    let path = format!("/export/{second}");
    let pruned = server.ask("DELETE", &path, &[], "").result(200);
    assert_eq!((&pruned["pruned"], &pruned["forgotten"]), (&true.into(), &false.into()));
    assert_eq!(case.stored(), Vec::<PathBuf>::new());
    assert!(server.status(&second)["prunedAt"].is_string());
    server.get(&format!("/export/download/{second}")).error(410);
    let forgotten = server.ask("DELETE", &path, &[], "").result(200);
    assert_eq!(forgotten["forgotten"], true);
    server.get(&format!("/export/status/{second}")).error(404);
}
