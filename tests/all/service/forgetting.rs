//! Finished exports are forgotten by age, and what is still needed of them is not.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::metrics::sample;
use crate::support::{Receiver, Reply, Server, WAIT_LIMIT, tiny};

#[test]
fn an_export_is_forgotten_and_its_object_and_its_metrics_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let receiver = Receiver::new(&[Reply::Status(500), Reply::Status(500), Reply::Status(200)]);
    let own = [file.to_str().unwrap(), "--callback-allow", "127.0.0.1", "--forget-after", "3s"];
    let server = Server::with_store(folder.path(), own);
    let name = "partway_last_good_export_timestamp_seconds{database=\"tiny\"}";
    assert_eq!(sample(&server, name), 0.0);
    let done = |wish: serde_json::Value| {
        let id = server.post("/export/dump", &wish.to_string()).accepted();
        server.until(&id, |status| status["status"] == "done")
    };
    let first = done(json!({}));
    let good = sample(&server, name);
    let ended: jiff::Timestamp = first["finishedAt"].as_str().unwrap().parse().unwrap();
    assert!((good - ended.as_millisecond() as f64 / 1000.0).abs() < 0.01, "{good} {ended}");
    // Its callback takes 2 s and 4 s more, and comes before it is forgotten.
    let told = done(json!({ "callbackUrl": receiver.url }));

    let forgotten = |status: &serde_json::Value| {
        let path = status["statusUrl"].as_str().unwrap();
        let began = std::time::Instant::now();
        while server.get(path).status != 404 {
            assert!(began.elapsed() < WAIT_LIMIT, "{status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    forgotten(&first);
    forgotten(&told);
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(server.get("/exports").result(200), json!([]));
    for status in [&first, &told] {
        assert!(fs::exists(status["location"].as_str().unwrap()).unwrap());
    }
    let total = "partway_exports_total{database=\"tiny\",state=\"done\"}";
    assert_eq!(sample(&server, total), 2.0);
    assert!(sample(&server, name) >= good);
    // After a restart as well.
    drop(server);
    let server = Server::with_store(folder.path(), own);
    assert_eq!(sample(&server, total), 2.0);
    assert!(sample(&server, name) >= good);
}

#[test]
fn an_age_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    for (age, reason) in [("soon", "not an age"), ("-1d", "not an age"), ("10ms", "too short")] {
        let output = std::process::Command::new(crate::support::program())
            .args(["serve", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--store"])
            .arg(folder.path())
            .arg(format!("--forget-after={age}"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(reason), "{printed}");
    }
}
