//! Exports to standard output.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::write_sample;

use crate::support::{WAIT_LIMIT, program, signal};

/// An export of a copy, which nobody reads, so that it does not end by itself; and whether its folder for temporary files
/// is empty.
fn copying(database: &Path, temporary: &Path) -> Child {
    Command::new(program())
        .args(["export", "--snapshot", "copy"])
        .arg(database)
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < WAIT_LIMIT, "it has not come to that");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_export_that_is_interrupted_while_it_copies_the_database_leaves_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 40).unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let child = copying(&file, &temporary);
    wait_until(|| !is_empty(&temporary));
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(printed.contains("interrupted: the dump is incomplete"), "{printed}");
    assert!(is_empty(&temporary), "a copy of the database is left");
}

/// Where the system lets an open file lose its name.
#[cfg(unix)]
#[test]
fn an_export_that_is_killed_while_it_reads_its_copy_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 8).unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut child = copying(&file, &temporary);
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; 1000]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_empty(&temporary), "a copy of the database is left");

    // And it is the whole database that is read so.
    let whole = |arguments: &[&str]| {
        let mut command = Command::new(program());
        let output = command.arg("export").args(arguments).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert!(whole(&["--snapshot", "copy"]) == whole(&["--snapshot", "hold"]));
}

#[test]
fn a_copy_that_a_killed_export_has_left_goes_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 40).unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let has_begun = || {
        let folders = fs::read_dir(&temporary).unwrap().flatten();
        let begun = folders.flat_map(|folder| fs::read_dir(folder.path())).flatten();
        begun.flatten().any(|file| file.file_name().to_string_lossy().starts_with("copy.db"))
    };
    // It may be whole, and its name gone, before the signal comes.
    let mut attempts = 0;
    while is_empty(&temporary) {
        let mut child = copying(&file, &temporary);
        wait_until(has_begun);
        child.kill().unwrap();
        child.wait().unwrap();
        attempts += 1;
        assert!(attempts < 50, "no kill was soon enough");
    }
    let small = folder.path().join("small.db");
    write_sample(&small, 1).unwrap();
    let output = Command::new(program())
        .args(["export", "--snapshot", "copy"])
        .arg(&small)
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_empty(&temporary), "a copy of the database is left");
}
