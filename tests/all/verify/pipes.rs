//! Dumps that come through a pipe.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{Case, assert_fails};
use crate::support::{Program, sha256};

/// Verifies what comes on standard input, which then ends.
fn verify_input(input: &[u8], arguments: &[&str]) -> Output {
    let mut program = Program::verify("-").with(arguments.iter().copied()).command;
    let pipes = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // It may end before it has read all.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

#[test]
fn a_dump_is_read_from_standard_input() {
    let case = Case::small();
    let text = fs::read(&case.dump).unwrap();
    let output = verify_input(&text, &case.against());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("restored, it has the same contents as "), "{printed}");
    let hash = sha256(&case.dump);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{hash}  -\n"));
    assert!(verify_input(&text, &["--sha256", &hash]).status.success());

    let cut = &text[..text.len() / 2];
    let expected = format!("standard input is cut off after {} bytes", cut.len());
    assert_fails(&verify_input(cut, &[]), 1, &[&expected]);
    assert_fails(&verify_input(b"", &[]), 1, &["standard input is empty"]);
    let expected = "standard input is not a SQL dump made by partway";
    assert_fails(&verify_input(&[b'x'; 1_000_000], &[]), 1, &[expected]);
}

#[test]
fn an_export_and_its_check_are_one_pipe() {
    let case = Case::small();
    let mut export = Command::new(crate::support::program());
    let mut export = export.arg("export").arg(&case.file).stdout(Stdio::piped()).spawn().unwrap();
    let mut verify = Program::verify("-").with(case.against()).command;
    let output = verify.stdin(export.stdout.take().unwrap()).output().unwrap();
    assert!(export.wait().unwrap().success());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_is_no_dump_is_refused_before_the_pipe_ends() {
    let mut program = Program::verify("-").command;
    let pipes = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"-- a dump of something else, and more is to come\n").unwrap();
    // `wait` alone: `wait_with_output` would end the pipe.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(input);
    assert_fails(&child.wait_with_output().unwrap(), 1, &["is not a SQL dump made by partway"]);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_like_a_file() {
    let case = Case::small();
    let pipe = case.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut verify = Program::verify(pipe.to_str().unwrap()).with(case.against()).command;
    let child = verify.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    write_to(&pipe, &fs::read(&case.dump).unwrap());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with(&sha256(&case.dump)), "{printed}");
}

fn write_to(pipe: &Path, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(pipe).unwrap().write_all(bytes).unwrap();
}
