//! The dump is one state of the database, whoever writes meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use partway_jobs::Job;
use partway_sqlite::Snapshot;
use partway_store::{FolderStore, Store};
use partway_testbed::{Random, compare, restore};
use partway_wasmtime::exporter::Budget;
use partway_wasmtime::exporter::Exporter;
use rusqlite::Connection;

use crate::support::{Never, Program, database, job_options, runtime, saved_parts, stored};

const ACCOUNTS: i64 = 60_000;

/// Accounts with 100 each.
fn bank(file: &Path, journal_mode: &str) -> Connection {
    let connection = database(
        file,
        &format!(
            "PRAGMA journal_mode={journal_mode};
             CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, note TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ACCOUNTS})
               INSERT INTO account SELECT i, 100, printf('%.*c', i % 50, 'x') FROM n;"
        ),
    );
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
}

/// Accounts and what is on them in a restored dump.
fn balance(dump: &Path) -> (i64, i64) {
    let restored = dump.with_extension("restored");
    restore(dump, &restored).unwrap();
    let sum = "SELECT count(*), sum(amount) FROM account";
    let connection = Connection::open(restored).unwrap();
    connection.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn money_that_moves_all_the_while_is_counted_once_in_hundreds_of_slices() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.db");
    drop(bank(&file, "WAL"));
    let snapshot = Snapshot::hold(&file).unwrap();
    assert!(snapshot.is_wal());
    let (stop, moved) = (AtomicBool::new(false), AtomicU64::new(0));
    let (slices, name) = thread::scope(|scope| {
        for seed in 0..2 {
            let (file, stop, moved) = (&file, &stop, &moved);
            scope.spawn(move || {
                let connection = Connection::open(file).unwrap();
                connection.busy_timeout(Duration::from_secs(30)).unwrap();
                let mut random = Random::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    let (from, to) = (random.below(20_000) + 1, random.below(20_000) + 1);
                    let sql = format!(
                        "BEGIN IMMEDIATE;
                         UPDATE account SET amount = amount - 7 WHERE id = {from};
                         UPDATE account SET amount = amount + 7 WHERE id = {to};
                         DELETE FROM account WHERE id > {ACCOUNTS};
                         INSERT INTO account (amount) VALUES (1000000); COMMIT;"
                    );
                    connection.execute_batch(&sql).unwrap();
                    moved.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let exporter = Exporter::prebuilt().unwrap();
        let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
        let finished = runtime().block_on(async {
            let options = job_options(4096);
            let mut job =
                Job::begin(&exporter, &snapshot, &store, "bank.sql", options).await.unwrap();
            while !job.is_ended() {
                let (budget, counters) = (Budget { parts: 1 }, Default::default());
                job.slice(&exporter, &snapshot, &store, Never, budget, &counters).await.unwrap();
            }
            job.complete(&store).await.unwrap()
        });
        stop.store(true, Ordering::Relaxed);
        (finished.totals.slices, finished.name)
    });
    assert!(slices >= 200, "{slices} slices");
    assert!(moved.load(Ordering::Relaxed) >= 20, "{moved:?} transfers");
    assert_eq!(balance(&folder.path().join(name)), (ACCOUNTS, 100 * ACCOUNTS));
}

#[test]
fn with_a_rollback_journal_a_held_snapshot_keeps_writers_out_and_a_copy_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.db");
    let connection = bank(&file, "DELETE");
    connection.busy_timeout(Duration::ZERO).unwrap();
    let held = Snapshot::hold(&file).unwrap();
    assert!(!held.is_wal());
    let write = "UPDATE account SET amount = 0 WHERE id = 1";
    assert!(connection.execute(write, []).is_err());
    let copy = held.copy(&folder.path().join("copy.db")).unwrap();
    drop(held);
    // The thread that holds it ends by itself.
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute(write, []).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(copy.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read the copy");
    }
    let exporter = Exporter::prebuilt().unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
    let name = runtime().block_on(async {
        let options = job_options(65_536);
        let mut job = Job::begin(&exporter, &copy, &store, "bank.sql", options).await.unwrap();
        while !job.is_ended() {
            let (budget, counters) = (Budget { parts: 1 }, Default::default());
            job.slice(&exporter, &copy, &store, Never, budget, &counters).await.unwrap();
        }
        job.complete(&store).await.unwrap().name
    });
    assert_eq!(balance(&folder.path().join(name)), (ACCOUNTS, 100 * ACCOUNTS));
}

/// A program that was killed behind some parts.
fn kill_behind_some_parts(file: &Path, store: &Path, folder: &Path, more: &[&str]) {
    let mut program = Program::export(file, store.to_str().unwrap(), folder)
        .with(["--part-size", "4096", "--slice-parts", "1", "--pause", "5ms", "--name", "bank.sql"])
        .with(more.iter().copied());
    let mut child = program.command.spawn().unwrap();
    while saved_parts(folder).unwrap_or(0) == 0 && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it had ended before it was killed");
}

/// What there is of uploads.
fn hidden(store: &Path) -> Vec<String> {
    stored(store).into_iter().filter(|name| name.starts_with('.')).collect()
}

#[test]
fn after_a_change_the_export_starts_over_or_fails_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("bank.db"), folder.path().join("store"));
    std::fs::create_dir(&store).unwrap();
    let connection = bank(&file, "WAL");
    kill_behind_some_parts(&file, &store, folder.path(), &["--snapshot", "hold"]);
    connection.execute("UPDATE account SET amount = 200 WHERE id = 1", []).unwrap();
    let again = || {
        Program::export(&file, store.to_str().unwrap(), folder.path()).with([
            "--name",
            "bank.sql",
            "--snapshot",
            "hold",
        ])
    };
    let output = again().with(["--on-change", "restart"]).run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("starting over"), "{printed}");
    assert!(output.status.success(), "{printed}");
    assert_eq!(balance(&store.join("bank.sql")), (ACCOUNTS, 100 * ACCOUNTS + 100));
    std::fs::remove_file(store.join("bank.sql")).unwrap();

    kill_behind_some_parts(&file, &store, folder.path(), &["--snapshot", "hold"]);
    connection.execute("UPDATE account SET amount = 300 WHERE id = 1", []).unwrap();
    let refused = again().with(["--on-change", "fail"]).run();
    assert_eq!(refused.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        printed.contains("has changed since") && printed.contains("--on-change restart"),
        "{printed}"
    );
    assert!(!store.join("bank.sql").exists());
    assert_eq!(hidden(&store), [] as [String; 0], "something is left in the store");
}

#[test]
fn with_other_options_the_present_state_is_exported_and_not_an_old_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("bank.db"), folder.path().join("store"));
    std::fs::create_dir(&store).unwrap();
    let connection = bank(&file, "DELETE");
    kill_behind_some_parts(&file, &store, folder.path(), &["--snapshot", "copy"]);
    connection.execute("UPDATE account SET amount = 200 WHERE id = 1", []).unwrap();
    let output = Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--name", "bank.sql", "--snapshot", "copy", "--table", "account"])
        .run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && printed.contains("started with other options"), "{printed}");
    assert_eq!(balance(&store.join("bank.sql")), (ACCOUNTS, 100 * ACCOUNTS + 100));
    assert_eq!(hidden(&store), [] as [String; 0], "the first upload is left");
}

#[test]
fn an_export_of_a_copy_goes_on_whatever_has_been_written_since() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("bank.db"), folder.path().join("store"));
    std::fs::create_dir(&store).unwrap();
    let connection = bank(&file, "DELETE");
    let before = folder.path().join("before.db");
    connection.execute("VACUUM INTO ?1", [before.to_str().unwrap()]).unwrap();
    kill_behind_some_parts(&file, &store, folder.path(), &["--snapshot", "copy"]);
    connection.execute_batch("UPDATE account SET amount = 0; DROP TABLE account;").unwrap();
    let output = Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--name", "bank.sql", "--snapshot", "copy"])
        .run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && printed.contains("resuming"), "{printed}");
    let restored = folder.path().join("restored.db");
    restore(&store.join("bank.sql"), &restored).unwrap();
    assert_eq!(compare(&before, &restored).unwrap(), []);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name() != Some("jobs.db".as_ref()))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
