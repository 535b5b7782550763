//! The same database and options give the same bytes, whatever the slices, crashes and repeats.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::{Random, compare, restore, write_sample};

use crate::support::{Program, WAIT_LIMIT, database, export, sha256, signal, stored, summary};

/// Parts a slice that never ends before the export.
const ALL: u32 = u32::MAX;

#[test]
fn the_object_does_not_depend_on_slices_nor_on_the_part_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 2).unwrap();

    let whole = export(&file, folder.path(), 1024 * 1024, || ALL);
    assert_eq!(whole.finished.totals.slices, 1);
    let reference = sha256(&whole.file);
    assert_eq!(whole.finished.sha256, reference);

    let singly = export(&file, folder.path(), 64 * 1024, || 1);
    assert!(singly.finished.totals.slices > 20);
    assert_eq!(singly.finished.totals.slices, singly.finished.totals.parts);
    assert_eq!(sha256(&singly.file), reference);

    for seed in 0..5 {
        let mut random = Random::new(seed);
        let part_size = 4096 + random.below(200_000) as u32;
        let randomly = export(&file, folder.path(), part_size, || 1 + random.below(9) as u32);
        assert_eq!(sha256(&randomly.file), reference, "seed {seed}");
        // The hash went through as many saved states as there were slices.
        assert_eq!(randomly.finished.sha256, reference, "seed {seed}");
    }
}

#[test]
fn values_much_larger_than_a_part_or_a_batch_are_cut_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.db");
    let connection = database(
        &file,
        "CREATE TABLE t (a, b, c);
         CREATE TABLE k (a TEXT, b INTEGER, v, PRIMARY KEY (a COLLATE NOCASE DESC, b)) WITHOUT ROWID;",
    );
    let mut random = Random::new(7);
    let text = "it's a long text, grüße; ".repeat(40_000);
    let windows = "line\r\n".repeat(100_000);
    for id in 0..4 {
        let blob = random.bytes(700_000 + id);
        connection
            .execute(
                "INSERT INTO t VALUES (?1, ?2, ?3)",
                (&text[..(id + 1) * 200_000], &blob, id as i64),
            )
            .unwrap();
        connection.execute("INSERT INTO t VALUES (1, ?1, ?2)", (&windows, "small")).unwrap();
        connection
            .execute("INSERT INTO k VALUES (?1, ?2, ?3)", (["a", "B", "c", "D"][id], 1, &blob))
            .unwrap();
    }
    // Values that can't be opened where they lie: beside a generated column, and out of a default.
    connection
        .execute_batch(
            "CREATE TABLE g (a, n AS (length(a))); CREATE TABLE d (a); INSERT INTO d VALUES (1);",
        )
        .unwrap();
    connection.execute("INSERT INTO g (a) VALUES (?1)", [&random.bytes(400_000)]).unwrap();
    let default = "x".repeat(300_000);
    connection.execute_batch(&format!("ALTER TABLE d ADD COLUMN b DEFAULT '{default}'")).unwrap();
    // A key longer than a batch, and a row of many cells that fit one by one.
    for key in ["b", "a"] {
        connection.execute("INSERT INTO k VALUES (?1, 2, 3)", [key.repeat(300_000)]).unwrap();
    }
    let columns: Vec<String> =
        (0..100).map(|column| format!("c{column} DEFAULT (zeroblob(250000))")).collect();
    connection
        .execute_batch(&format!(
            "CREATE TABLE w ({}); INSERT INTO w DEFAULT VALUES",
            columns.join(",")
        ))
        .unwrap();
    // A row whose cells fit one by one, but not together.
    connection
        .execute(
            "INSERT INTO t VALUES (?1, ?2, ?3)",
            (random.bytes(200_000), &text[..200_000], 3.5),
        )
        .unwrap();
    drop(connection);

    let whole = export(&file, folder.path(), 16 * 1024 * 1024, || ALL);
    let reference = sha256(&whole.file);
    let singly = export(&file, folder.path(), 400_000, || 1);
    assert_eq!(sha256(&singly.file), reference);
    let mut random = Random::new(1);
    let randomly = export(&file, folder.path(), 300_000, || 1 + random.below(3) as u32);
    assert_eq!(sha256(&randomly.file), reference);

    let restored = folder.path().join("restored.db");
    restore(&whole.file, &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
}

#[test]
fn the_program_killed_between_and_within_slices_ends_with_the_same_object() {
    let sample = Sample::new();
    let Sample { folder, file, store } = &sample;
    let reference = export(file, folder.path(), 1024 * 1024, || ALL).finished.sha256;

    // With its rests it takes longer than all the lives that it is given here, however fast the machine.
    let run = || sample.export("64KiB").with(["--pause", "15ms"]);
    let mut random = Random::new(11);
    let mut kills = 0;
    let last = loop {
        let mut program = run();
        program.command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = program.command.spawn().unwrap();
        // Early kills come before the export begins; later ones at any point of a slice.
        sleep(Duration::from_millis(random.below(250)));
        if kills == 12 || child.try_wait().unwrap().is_some() {
            break child.wait_with_output().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(visible(store).is_empty(), "an unfinished object has a name");
    };
    let last = summary(&last);
    println!("killed {kills} times");
    assert!(kills > 0, "nothing was killed: the sample is too small for this machine");
    assert_eq!(last["sha256"], reference.as_str());
    assert_eq!(visible(store).len(), 1);
    assert_eq!(sha256(&store.join(&visible(store)[0])), reference);
    // A kill between the beginning of an upload and its being saved leaves one that nobody knows of.
    let prune = Program::jobs(folder.path(), ["prune", "--uploads-older-than", "0s"]);
    assert!(prune.run().status.success());
    assert_eq!(stored(store).len(), 1, "something hidden is left");
}

#[test]
fn an_export_goes_on_where_it_was_interrupted() {
    let sample = Sample::new();
    let Sample { folder, file, store } = &sample;
    let run = || sample.export("64KiB");
    let mut child = run()
        .with(["--pause", "10ms"])
        .command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_parts(store, 10 * 64 * 1024);
    signal(&child, "-INT");
    let output = child.wait().and_then(|_| child.wait_with_output()).unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(printed.contains("to resume, run the same command again"), "{printed}");
    assert!(visible(store).is_empty());

    let output = run().run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("resuming"), "{printed}");
    let reference = export(file, folder.path(), 1024 * 1024, || ALL).finished.sha256;
    assert_eq!(summary(&output)["sha256"], reference.as_str());
}

#[test]
fn a_database_that_has_changed_is_exported_from_its_start() {
    let sample = Sample::new();
    let Sample { folder, file, store } = &sample;
    sample.kill_after_some_parts();
    rusqlite::Connection::open(file)
        .unwrap()
        .execute("UPDATE settings SET value = 'USD' WHERE key = 'currency'", [])
        .unwrap();

    let output = sample.export("64KiB").run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("the database has changed since"), "{printed}");
    summary(&output);
    let restored = folder.path().join("restored.db");
    restore(&store.join(&visible(store)[0]), &restored).unwrap();
    assert_eq!(compare(file, &restored).unwrap(), []);
    assert_eq!(stored(store).len(), 1, "the first upload is left");
}

#[test]
fn an_upload_that_was_cut_off_is_started_over() {
    let sample = Sample::new();
    let Sample { folder, file, store } = &sample;
    sample.kill_after_some_parts();
    let hidden = fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
    fs::File::options().write(true).open(hidden).unwrap().set_len(100_000).unwrap();
    let output = sample.export("64KiB").run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("starting over"), "{printed}");
    let reference = export(file, folder.path(), 1024 * 1024, || ALL).finished.sha256;
    assert_eq!(summary(&output)["sha256"], reference.as_str());
    assert_eq!(sha256(&store.join(&visible(store)[0])), reference);
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    let names: HashSet<String> = (0..3)
        .map(|_| {
            let store = folder.path().to_str().unwrap();
            let run = Program::export(&file, store, folder.path()).with(["--name", "my.sql"]);
            run.succeed()["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    let expected: HashSet<String> =
        ["my.sql", "my-2.sql", "my-3.sql"].into_iter().map(str::to_owned).collect();
    assert_eq!(names, expected);
}

/// A database large enough to be interrupted, and a store for it.
struct Sample {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: PathBuf,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sample.db");
        write_sample(&file, 12).unwrap();
        let store = folder.path().join("store");
        fs::create_dir(&store).unwrap();
        Self { folder, file, store }
    }

    /// Kills a run after some parts of 64 KiB.
    fn kill_after_some_parts(&self) {
        let mut program = self.export("64KiB").with(["--pause", "10ms"]);
        let mut child = program.command.stdout(std::process::Stdio::null()).spawn().unwrap();
        wait_for_parts(&self.store, 10 * 64 * 1024);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A run with one part a slice.
    fn export(&self, part_size: &str) -> Program {
        let store = self.store.to_str().unwrap();
        Program::export(&self.file, store, self.folder.path()).with([
            "--slice-parts",
            "1",
            "--part-size",
            part_size,
        ])
    }
}

/// The names in a folder that are not hidden.
fn visible(folder: &Path) -> Vec<String> {
    stored(folder).into_iter().filter(|name| !name.starts_with('.')).collect()
}

/// Waits until an unfinished object has so many bytes.
fn wait_for_parts(store: &Path, bytes: u64) {
    let began = Instant::now();
    loop {
        let largest = fs::read_dir(store)
            .unwrap()
            .filter_map(|entry| entry.ok()?.metadata().ok())
            .map(|meta| meta.len())
            .max();
        if largest.is_some_and(|length| length >= bytes) {
            return;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "no part was written");
        sleep(Duration::from_millis(5));
    }
}
