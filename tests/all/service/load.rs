//! The service under load, and with a large database. Both take minutes, and measure: `cargo xtask test --long` runs
//! them with nothing beside them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use partway_testbed::{compare, restore, write_sample};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Receiver, Reply, Server, sha256, turn};

/// How many clients ask how an export is doing, and how often each.
const POLLING: (usize, Duration) = (200, Duration::from_secs(1));

/// How many clients download.
const DOWNLOADING: usize = 8;

/// As much as each of them takes in a second, in bytes: some 100 Mbit/s.
const TAKEN: u64 = 12_500_000;

fn sample(folder: &Path, megabytes: u64) -> std::path::PathBuf {
    let file = folder.join("sample.db");
    write_sample(&file, megabytes).unwrap();
    file
}

/// Asks for an export and waits for its end; meanwhile its id is to be had.
fn export(server: &Server, wish: &Value, running: &Mutex<String>) -> Value {
    let id = server.post("/export/dump", &wish.to_string()).accepted();
    running.lock().unwrap().clone_from(&id);
    let began = Instant::now();
    loop {
        let status = server.status(&id);
        match status["status"].as_str().unwrap() {
            "done" => return status,
            "failed" | "cancelled" => panic!("{status}"),
            _ => sleep(Duration::from_millis(100)),
        }
        assert!(began.elapsed() < Duration::from_secs(600), "{status}");
    }
}

/// As many finished jobs as a service has after a year and more, all like the one that there is.
fn grow_old(state: &Path) {
    let jobs = Connection::open(state.join("jobs.db")).unwrap();
    jobs.busy_timeout(Duration::from_secs(10)).unwrap();
    for _ in 0..14 {
        jobs.execute_batch(
            "BEGIN IMMEDIATE;
             CREATE TEMP TABLE more AS SELECT * FROM export_jobs;
             UPDATE more SET id = lower(hex(randomblob(8))), object = id, created_at = created_at - 1000;
             INSERT INTO export_jobs SELECT * FROM more;
             DROP TABLE more;
             COMMIT",
        )
        .unwrap();
    }
}

fn seconds(status: &Value) -> f64 {
    let at = |what: &str| status[what].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    at("finishedAt").duration_since(at("createdAt")).as_secs_f64()
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn a_large_database_is_asked_for_watched_downloaded_and_restored() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = sample(folder.path(), 1400);
    assert!(fs::metadata(&file).unwrap().len() > 1_000_000_000);
    let receiver = Receiver::new(&[Reply::Status(500), Reply::Nothing, Reply::Status(200)]);
    let serve = || {
        let own =
            [file.to_str().unwrap(), "--callback-allow", "127.0.0.1", "--inline-within", "2s"];
        Server::with_store(folder.path(), own)
    };
    let server = serve();
    let began = Instant::now();
    let path = format!("/export/dump?callbackUrl={}", receiver.url);
    let id = server.get(&path).accepted();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    server.until(&id, |status| status["parts"].as_u64() >= Some(30));
    server.signal("-KILL");
    drop(server);
    let server = serve();
    let began = Instant::now();
    let done = loop {
        let status = server.status(&id);
        if status["status"] == "done" {
            break status;
        }
        assert_ne!(status["status"], "failed", "{status}");
        assert!(began.elapsed() < Duration::from_secs(600), "{status}");
        sleep(Duration::from_millis(200));
    };
    let dump = folder.path().join("downloaded.sql");
    let mut response = server.open("GET", &format!("/export/download/{id}"), &[], "");
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    io::copy(&mut body, &mut File::create(&dump).unwrap()).unwrap();
    let memory = server.peak_memory();
    println!("{} bytes, peak memory {memory} MiB", done["bytes"]);
    assert!(memory < 250, "{memory} MiB");
    assert_eq!(done["sha256"], sha256(&dump));
    let message = receiver.wait(3, Duration::from_secs(60)).remove(2);
    let message: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(message["sha256"], done["sha256"]);
    let restored = folder.path().join("restored.db");
    restore(&dump, &restored).unwrap();
    assert!(compare(&file, &restored).unwrap().is_empty());
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn clients_that_poll_and_download_hold_nothing_up() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = sample(folder.path(), 500);
    let server = Server::with_store(folder.path(), [file.to_str().unwrap()]);
    let running = Mutex::new(String::new());
    let whole = export(&server, &json!({ "name": "whole.sql" }), &running);
    grow_old(&folder.path().join("state"));
    let download = format!("{}{}", server.url, whole["downloadUrl"].as_str().unwrap());
    let list = format!("{}/exports?limit=5", server.url);
    let idle_memory = server.peak_memory();

    let (is_loaded, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (asked, taken) = (AtomicU64::new(0), AtomicU64::new(0));
    let goes_on = || !is_over.load(Ordering::Relaxed);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for number in 0..POLLING.0 {
            let (is_loaded, asked, running, list) = (&is_loaded, &asked, &running, &list);
            let server = &server;
            scope.spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                sleep(POLLING.1 * number as u32 / POLLING.0 as u32);
                while goes_on() {
                    if is_loaded.load(Ordering::Relaxed) {
                        let status =
                            format!("{}/export/status/{}", server.url, running.lock().unwrap());
                        let url = if number % 10 == 0 { list } else { &status };
                        let mut answer = agent.get(url).call().expect("an answer, and a good one");
                        let body = answer.body_mut().read_to_string().unwrap();
                        assert!(body.contains("\"result\""), "{body}");
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    sleep(POLLING.1);
                }
            });
        }
        for _ in 0..DOWNLOADING {
            let (is_loaded, taken, download) = (&is_loaded, &taken, &download);
            scope.spawn(move || {
                let mut sink = Vec::with_capacity(256 * 1024);
                while goes_on() {
                    if !is_loaded.load(Ordering::Relaxed) {
                        sleep(Duration::from_millis(50));
                        continue;
                    }
                    let mut answer = ureq::get(download).call().expect("a download");
                    let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
                    let (began, mut had) = (Instant::now(), 0);
                    while is_loaded.load(Ordering::Relaxed) {
                        sink.clear();
                        let read = (&mut body).take(128 * 1024).read_to_end(&mut sink).unwrap();
                        if read == 0 {
                            break;
                        }
                        had += read as u64;
                        taken.fetch_add(read as u64, Ordering::Relaxed);
                        let due = Duration::from_secs_f64(had as f64 / TAKEN as f64);
                        sleep(due.saturating_sub(began.elapsed()));
                    }
                }
            });
        }
        for round in 0..4 {
            for (loaded, times) in [(false, &mut alone), (true, &mut beside)] {
                is_loaded.store(loaded, Ordering::Relaxed);
                sleep(Duration::from_secs(2));
                let done =
                    export(&server, &json!({ "name": format!("{round}-{loaded}.sql") }), &running);
                assert_eq!(done["sha256"], whole["sha256"]);
                times.push(seconds(&done));
                fs::remove_file(done["location"].as_str().unwrap()).unwrap();
            }
        }
        is_loaded.store(false, Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
    });
    let memory = server.peak_memory();
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        f64::midpoint(times[1], times[2])
    };
    println!("alone {alone:.2?} s, beside {} clients {beside:.2?} s", POLLING.0 + DOWNLOADING);
    let slower = median(&mut beside) / median(&mut alone);
    println!(
        "{} answers, {} MB downloaded; slowed to {slower:.3}; memory {idle_memory} MiB with one export, {memory} MiB",
        asked.load(Ordering::Relaxed),
        taken.load(Ordering::Relaxed) / 1_000_000
    );
    io::stdout().flush().unwrap();
    assert!(memory < 250, "{memory} MiB");
    assert!(slower < 1.25, "{slower}");
}
