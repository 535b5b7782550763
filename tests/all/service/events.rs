//! Streams of events.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{SLOWLY, ServiceCase as Case, WAIT_LIMIT, read};

/// One slice, and then nothing for as long as a test lasts.
const REST: [&str; 6] = ["--part-size", "64KiB", "--slice-parts", "1", "--pause", "60s"];

/// The statuses that a stream of events tells, until it ends; and how many comments kept it open.
fn read_events(response: &mut ureq::http::Response<ureq::Body>) -> (Vec<serde_json::Value>, usize) {
    let text = String::from_utf8(read(response).unwrap()).unwrap();
    let lines = || text.lines();
    let statuses = lines().filter_map(|line| line.strip_prefix("data:"));
    let statuses = statuses.map(|json| serde_json::from_str(json).unwrap()).collect();
    (statuses, lines().filter(|line| line.starts_with(':')).count())
}

#[test]
fn events_tell_of_an_export_until_its_end() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY);
    let id = server.post("/export/dump", "").accepted();
    let path = format!("/export/status/{id}/events");
    let began = Instant::now();
    let mut response = server.open("GET", &path, &[], "");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let (statuses, _) = read_events(&mut response);
    let most = began.elapsed().as_millis() / 500 + 2;
    assert!((3..=most).contains(&(statuses.len() as u128)), "{} of {most}", statuses.len());
    let bytes: Vec<u64> = statuses.iter().map(|told| told["bytes"].as_u64().unwrap()).collect();
    assert!(bytes.is_sorted() && bytes[1] < bytes[bytes.len() - 1], "{bytes:?}");
    // The last is what the status says, and all others were unfinished.
    assert_eq!(statuses.last(), Some(&server.status(&id)));
    assert_eq!(statuses.iter().filter(|told| told["status"] == "done").count(), 1);

    // Who asks again, as a browser does by itself, is told once more, or that there is nothing more to tell.
    let again = server.get(&path);
    assert_eq!(again.status, 200);
    assert!(String::from_utf8(again.body).unwrap().contains("id: final"));
    let knowing = server.ask("GET", &path, &[("last-event-id", "final")], "");
    assert_eq!((knowing.status, knowing.body.len()), (204, 0));
    server.get("/export/status/0123456789abcdef/events").error(404);
}

#[test]
fn a_silent_stream_of_events_is_kept_open_and_ends_with_the_service() {
    let case = Case::new(1);
    let server = case.serve(REST);
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["slices"].as_u64() >= Some(1));
    let mut response = server.open("GET", &format!("/export/status/{id}/events"), &[], "");
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| read_events(&mut response));
        sleep(Duration::from_secs(17));
        let began = Instant::now();
        server.signal("-TERM");
        let (statuses, comments) = listening.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(statuses.len() <= 2 && comments == 1, "{} and {comments}", statuses.len());
    });
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn so_many_listen_and_no_more() {
    let case = Case::new(1);
    let server = case.serve(REST);
    let id = server.post("/export/dump", "").accepted();
    let path = format!("/export/status/{id}/events");
    let mut open: Vec<_> = (0..256).map(|_| server.open("GET", &path, &[], "")).collect();
    assert!(open.iter().all(|response| response.status() == 200));
    let full = server.get(&path);
    full.error(429);
    assert!(full.header("retry-after").parse::<u64>().unwrap() > 0);
    // All others are answered as ever, and a place that becomes free is given again.
    server.status(&id);
    open.pop();
    let began = Instant::now();
    while server.open("GET", &path, &[], "").status() != 200 {
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(50));
    }
    // The export is forgotten in the meantime: there is nothing more to tell.
    server.ask("DELETE", &format!("/export/{id}"), &[], "").result(202);
    let (statuses, _) = read_events(&mut open.remove(0));
    assert_eq!(statuses.last().unwrap()["status"], "cancelled");
}
