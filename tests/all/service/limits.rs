//! What a client may not do: be slow, be large, be too many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Server, ServiceCase as Case, WAIT_LIMIT, read};

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).unwrap()
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let case = Case::new(1);
    let server = case.serve([]);
    // One that stops is told why.
    let mut half = connect(&server);
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0").unwrap();
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").unwrap();
    let began = Instant::now();
    let ended = loop {
        // A reset is an end as well.
        if stream.write_all(b"x").is_err() {
            break began.elapsed();
        }
        match stream.read(&mut [0; 1024]) {
            Ok(0) => break began.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                break began.elapsed();
            }
            Err(_) => {}
        }
        assert!(began.elapsed() < Duration::from_secs(30), "still waited for");
        server.get("/healthz").result(200);
    };
    assert!(ended > Duration::from_secs(10), "cut off after {ended:?}");
    is_refusal(&mut half, 408);
}

/// Reads an answer to the end of its connection: an error like all others.
#[track_caller]
fn is_refusal(stream: &mut TcpStream, status: u16) {
    stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for header in ["content-type: application/json", "connection: close"] {
        assert!(head.lines().any(|line| line == header), "{head}");
    }
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(body["result"].is_null() && body.as_object().unwrap().len() == 2, "{body}");
    assert!(!body["error"].as_str().unwrap().is_empty(), "{body}");
}

#[test]
fn what_is_no_request_is_answered_like_all_else() {
    let case = Case::new(1);
    let server = case.serve([]);
    for sent in [
        b"\x16\x03\x01\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = connect(&server);
        stream.write_all(sent).unwrap();
        is_refusal(&mut stream, 400);
    }
    // After a good request on the same connection.
    let mut stream = connect(&server);
    let good = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    stream.write_all(good.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut rest = Vec::new();
    while !rest.ends_with(b"\"ok\"}}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        rest.push(byte[0]);
    }
    stream.write_all(b"no request at all\r\n\r\n").unwrap();
    is_refusal(&mut stream, 400);
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let counted = "partway_http_requests_total{method=\"other\",route=\"none\",status=\"400\"} 6";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let case = Case::new(1);
    let server = case.serve([]);
    for (target, expected) in [("x".repeat(65_535), 414), ("x".repeat(1_000_000), 431)] {
        let mut stream = connect(&server);
        write!(stream, "GET /{target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").ok();
        is_refusal(&mut stream, expected);
    }
    let mut stream = connect(&server);
    let large = "x".repeat(70_000);
    // The service need not have taken all of it.
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: {large}\r\n\r\n").ok();
    is_refusal(&mut stream, 431);
    let fits = "x".repeat(30_000);
    assert_eq!(server.ask("GET", "/healthz", &[("x-large", &fits)], "").status, 200);
}

#[test]
fn no_more_objects_are_downloaded_at_a_time_than_may_be() {
    let case = Case::new(24);
    let server = case.serve(["--downloads", "2", "--inline-size", "1GiB"]);
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["status"] == "done");
    let path = format!("/export/download/{id}");
    let mut first = server.open("GET", &path, &[], "");
    // The dump in the answer to an export is one, too.
    let second = server.open("GET", "/export/dump", &[], "");
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));

    let refused = server.get(&path);
    refused.error(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    server.ask("GET", &path, &[("range", "bytes=0-0")], "").error(429);
    // What sends no bytes needs no turn.
    let head = server.ask("HEAD", &path, &[], "");
    assert_eq!(head.status, 200);
    assert_eq!(server.ask("GET", &path, &[("if-none-match", head.header("etag"))], "").status, 304);
    // And an export is made, whose dump can be had later.
    server.get("/export/dump").accepted();

    // One client takes all, the other goes away: both turns are free again.
    case.is_whole(&read(&mut first).unwrap());
    drop(second);
    let began = Instant::now();
    let open = || {
        let response = server.open("GET", &path, &[], "");
        (response.status() == 200).then_some(response)
    };
    let _third = open().expect("a turn when a download has ended");
    let _fourth = loop {
        if let Some(response) = open() {
            break response;
        }
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(20));
    };
    server.get(&path).error(429);
}
