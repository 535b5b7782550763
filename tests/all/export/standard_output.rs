//! Exports to standard output.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::write_sample;

use crate::support::{WAIT_LIMIT, program, signal};

#[test]
fn an_export_that_is_interrupted_while_it_copies_the_database_leaves_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 40).unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let is_empty = || fs::read_dir(&temporary).unwrap().next().is_none();
    let child = Command::new(program())
        .args(["export", "--snapshot", "copy"])
        .arg(&file)
        .env("TMPDIR", &temporary)
        // Nobody reads it, so the export does not end by itself.
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while is_empty() {
        assert!(began.elapsed() < WAIT_LIMIT, "no copy was begun");
        sleep(Duration::from_millis(1));
    }
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(printed.contains("interrupted: the dump is incomplete"), "{printed}");
    assert!(is_empty(), "a copy of the database is left");
}
