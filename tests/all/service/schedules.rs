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
fn each_schedule_exports_what_it_says_and_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let writer = Connection::open(&file).unwrap();
    writer.execute_batch("CREATE TABLE logs (a); INSERT INTO logs VALUES ('noise')").unwrap();
    let serve = || {
        let schedules = [
            "1s",
            "1s; name=zipped; format=csv; table=t; compress=gzip; keep=1",
            "1h; format=ndjson",
            "1s; exclude-table=log*; limit=2; no-rowids",
            "1s; format=parquet; table=t; types=stored; keep=9",
        ];
        let every = schedules.into_iter().flat_map(|schedule| ["--every", schedule]);
        let own = [file.to_str().unwrap(), "--jitter", "0s", "--keep", "2", "--exports", "4"];
        Server::with_store(folder.path(), own.into_iter().chain(every).collect::<Vec<_>>())
    };
    let server = serve();
    assert_eq!(wait(&server, 5).len(), 5);
    // Nothing new, no export, of none of them.
    sleep(Duration::from_secs(3));
    assert_eq!(all(&server).len(), 5);
    for number in 2..=4 {
        writer.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
        // All but the one that is due in an hour.
        let made = 5 + 4 * (number as usize - 1);
        let began = Instant::now();
        while all(&server).len() < made || all(&server).iter().any(|it| it["status"] != "done") {
            assert!(began.elapsed() < WAIT_LIMIT);
            sleep(Duration::from_millis(50));
        }
        assert_eq!(all(&server).len(), made);
    }
    let kept = |server: &Server| {
        let mut names: Vec<(String, Vec<u8>)> = Vec::new();
        for export in all(server).iter().filter(|export| export["prunedAt"].is_null()) {
            let path = export["location"].as_str().unwrap();
            // One that is being deleted is not kept.
            let Ok(bytes) = fs::read(path) else { continue };
            names.push((export["name"].as_str().unwrap().to_owned(), bytes));
        }
        names
    };
    let began = Instant::now();
    let objects = loop {
        let objects = kept(&server);
        if objects.len() <= 10 {
            break objects;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{}", objects.len());
        sleep(Duration::from_millis(50));
    };
    let of = |ending: &str| {
        objects.iter().filter(|(name, _)| name.ends_with(ending)).collect::<Vec<_>>()
    };
    let (tables, parts): (Vec<_>, Vec<_>) = of(".sql")
        .into_iter()
        .partition(|(_, dump)| String::from_utf8_lossy(dump).contains("noise"));
    assert_eq!((tables.len(), parts.len()), (2, 2));
    assert!(String::from_utf8_lossy(&tables[0].1).contains("(4,4)"));
    let part = String::from_utf8_lossy(&parts[0].1);
    assert!(part.contains("(1),\n(2);") && !part.contains("(3)"), "{part}");
    assert_eq!((of(".ndjson").len(), of(".parquet").len(), of(".csv.gz").len()), (1, 4, 1));
    assert!(of(".csv.gz")[0].0.starts_with("zipped_2"));
    assert!(of(".parquet").iter().all(|(_, bytes)| bytes.starts_with(b"PAR1")));
    let zipped = folder.path().join("newest.csv.gz");
    fs::write(&zipped, &of(".csv.gz")[0].1).unwrap();
    let output = Command::new("gzip").arg("-dc").arg(zipped).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "\"a\"\r\n1\r\n2\r\n3\r\n4\r\n");
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let parquet = "options=\"format=parquet; table=t; types=stored\",result=\"started\"} 4";
    assert!(metrics.contains(parquet), "{metrics}");

    // Each remembers what it has made.
    let before = all(&server).len();
    drop(server);
    let server = serve();
    sleep(Duration::from_secs(3));
    assert_eq!(all(&server).len(), before);
}

#[test]
fn a_schedule_keeps_and_deletes_the_objects_of_tables_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let writer = Connection::open(&file).unwrap();
    writer.execute_batch("CREATE TABLE u (a); INSERT INTO u VALUES ('one'), ('two')").unwrap();
    let schedule = "1s; each-table; format=csv; name=tables; where=u=a = 'one'; keep=1";
    let own = [file.to_str().unwrap(), "--jitter", "0s", "--every", schedule];
    let server = Server::with_store(folder.path(), own);
    let first = wait(&server, 1).remove(0);
    writer.execute("INSERT INTO t VALUES (2)", []).unwrap();
    let newest = wait(&server, 2).remove(0);
    let id = first["exportId"].as_str().unwrap();
    server.until(id, |status| status["prunedAt"].is_string());

    let name = newest["name"].as_str().unwrap();
    let set = name.strip_suffix(".manifest.json").unwrap();
    assert!(set.starts_with("tables_2"), "{set}");
    let store = folder.path().join("store");
    let mut stored: Vec<String> = fs::read_dir(&store)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    stored.sort();
    assert_eq!(stored, [name.to_owned(), format!("{set}.t.csv"), format!("{set}.u.csv")]);
    let rows = |table: &str| fs::read_to_string(store.join(format!("{set}.{table}.csv"))).unwrap();
    assert_eq!(
        (rows("t").as_str(), rows("u").as_str()),
        ("\"a\"\r\n1\r\n2\r\n", "\"a\"\r\n\"one\"\r\n")
    );
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
    refused(
        &["--every", "24h; format=csv", "--every", "1h; format=csv"],
        "with \"format=csv\": give it once",
    );
    refused(
        &["--every", "24h; tabel=t"],
        "there is no option \"tabel\": a schedule may have name, format, each-table, table",
    );
    refused(&["--every", "24h; name=a/b"], "name can't be \"a/b\": not a plain name");
    refused(&["--every", "24h; table"], "table needs a value");
    refused(&["--every", "24h; keep=0"], "keep can't be \"0\"");
    refused(&["--every", "24h; types=stored"], "types can't be used with format sql");
    // What only the database knows.
    refused(&["--every", "24h; format=xml"], "\"format=xml\" makes no sense for tiny: ");
    refused(
        &["--every", "24h; table=u"],
        "table \"u\" can't be exported: the database has no such table",
    );
    refused(&["--every", "24h; where=t=nope > 1"], "no such column");
    refused(&["--every", "24h; format=csv; schema-only"], "has rows alone");
    refused(&["--every", "24h; format=sqlite; each-table"], "can't be used with format sqlite");
    refused(&["--every", "24h; format=csv; each-table; table=u"], "no such table");
    refused(&["--every", "24h; format=csv; each-table; where=t=nope > 1"], "no such column");
    refused(&["--keep", "3"], "--every");
    refused(&["--every", "1h", "--keep", "0"], "--keep");
}
