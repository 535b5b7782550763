//! The extension for SQLite, in the stock `sqlite3` program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The extension's file; none, and a line that says so, where the environment has none.
pub fn extension() -> Option<PathBuf> {
    let file = std::env::var_os("PARTWAY_TEST_EXTENSION").map(PathBuf::from);
    if file.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the test harness, which keeps what a good test prints.
        writeln!(
            std::io::stderr(),
            "SKIPPED {test}: it needs the extension for SQLite; `cargo xtask test` builds it"
        )
        .ok();
    }
    file
}

/// Runs SQL in the stock program, with the extension loaded: what it prints, or its first error.
pub fn sqlite3(extension: &OsStr, database: &OsStr, sql: &str) -> Result<String, String> {
    let mut program = Command::new("sqlite3")
        .arg("-bail")
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the sqlite3 program");
    let script = format!(".load {}\n{sql}\n", extension.to_string_lossy());
    // A program that fails at once reads nothing.
    program.stdin.take().expect("a pipe").write_all(script.as_bytes()).ok();
    let output = program.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    match output.status.success() && output.stderr.is_empty() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}
