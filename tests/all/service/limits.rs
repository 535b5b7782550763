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
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let case = Case::new(1);
    let server = case.serve([]);
    let mut stream = connect(&server);
    let large = "x".repeat(70_000);
    // The service need not have taken all of it.
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: {large}\r\n\r\n").ok();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
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
