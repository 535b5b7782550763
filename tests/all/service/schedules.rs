//! Exports that nobody asks for, and those that are not kept.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Server, WAIT_LIMIT, damage, of_many_pages, program, stored, tiny};

fn all(server: &Server) -> Vec<Value> {
    server.get("/exports").result(200).as_array().unwrap().clone()
}

/// Waits until so many exports are done, those included whose object is gone.
fn wait(server: &Server, number: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let all = all(server);
        let has_object = |export: &&Value| export["location"].is_string();
        if all.iter().filter(has_object).count() >= number {
            return all;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{all:?}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_has_changed_is_exported_and_the_newest_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let arguments = [file.to_str().unwrap(), "--every", "1s", "--jitter", "0s", "--keep", "2"];
    let server = Server::with_store(folder.path(), arguments);
    let first = wait(&server, 1).remove(0);
    assert_eq!(first["scheduled"], true);
    // Nothing new, no export.
    sleep(Duration::from_secs(3));
    assert_eq!(all(&server).len(), 1);

    let writer = Connection::open(&file).unwrap();
    for number in 2..=4 {
        writer.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
        wait(&server, number as usize);
    }
    let id = first["exportId"].as_str().unwrap();
    server.until(id, |status| status["prunedAt"].is_string());
    server.get(&format!("/export/download/{id}")).error(410);
    // Asked for, it is nobody's to delete.
    let asked = server.post("/export/dump", r#"{"name": "mine.sql"}"#).accepted();
    server.until(&asked, |status| status["status"] == "done");
    let kept = |all: &[Value]| all.iter().filter(|export| export["prunedAt"].is_null()).count();
    let began = Instant::now();
    while kept(&all(&server)) > 3 {
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(50));
    }
    let newest = loop {
        let newest = all(&server).into_iter().find(|export| export["scheduled"] == true).unwrap();
        let path = format!("/export/download/{}", newest["exportId"].as_str().unwrap());
        if String::from_utf8_lossy(&server.get(&path).body).contains("(4,4)") {
            break newest;
        }
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(50));
    };
    // And each with its manifest.
    let store = folder.path().join("store");
    assert_eq!((stored(&store).len(), fs::read_dir(store).unwrap().count()), (3, 6));

    // Somebody deletes the newest: it is made again, though nothing has changed.
    let before = all(&server).len();
    fs::remove_file(newest["location"].as_str().unwrap()).unwrap();
    wait(&server, before + 1);
}

#[test]
fn a_damaged_export_stands_in_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    let arguments = [file.to_str().unwrap(), "--every", "1s", "--jitter", "0s", "--keep", "1"];
    let server = Server::with_store(folder.path(), arguments);
    let whole = wait(&server, 1).remove(0);
    for number in 2..=4 {
        damage(&file);
        wait(&server, number);
    }
    let began = Instant::now();
    let kept = loop {
        let mut kept = all(&server);
        kept.retain(|export| export["prunedAt"].is_null());
        if kept.len() <= 2 {
            break kept;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{kept:?}");
        sleep(Duration::from_millis(50));
    };
    assert_eq!(kept.last().unwrap()["exportId"], whole["exportId"]);
    assert!(fs::exists(whole["location"].as_str().unwrap()).unwrap());
    // Nor is it taken for a dump by who asks for one.
    let error = server.get("/export/dump").error(500);
    assert!(error.contains("incomplete") && error.contains("/export/download/"), "{error}");
}

#[test]
fn an_appointment_outlasts_the_service_and_its_rule_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let serve = |rule: &str| {
        let database = file.to_str().unwrap();
        Server::with_store(folder.path(), [database, "--every", rule, "--jitter", "0s"])
    };
    let server = serve("tiny=1h");
    wait(&server, 1);
    drop(server);
    Connection::open(&file).unwrap().execute_batch("INSERT INTO t VALUES (2)").unwrap();
    let server = serve("1h");
    sleep(Duration::from_secs(2));
    assert_eq!(all(&server).len(), 1);
    drop(server);
    // Every minute of a leap day that is far away.
    let server = serve("* * 29 2 *");
    sleep(Duration::from_secs(2));
    assert_eq!(all(&server).len(), 1);
    drop(server);
    let server = serve("1s");
    wait(&server, 2);
}

#[test]
fn a_schedule_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let refused = |arguments: &[&str], reason: &str| {
        let output = Command::new(program())
            .args(["serve", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--store"])
            .arg(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(reason), "{printed}");
    };
    refused(&["--every", "soon"], "neither an interval such as 24h");
    refused(&["--every", "0s"], "too short");
    refused(&["--every", "61 * * * *"], "cron");
    refused(&["--every", "0 0 30 2 *"], "it never happens");
    let again = format!("again={}", file.display());
    refused(&["--database", &again], "two names");
    refused(&["--every", "other=24h"], "not served");
    refused(&["--every", "24h", "--every", "1h"], "twice");
    refused(&["--keep", "3"], "--every");
    refused(&["--every", "1h", "--keep", "0"], "--keep");
}
