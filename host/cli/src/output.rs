//! Lines on standard output.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Prints a line.
pub fn print(line: &str) -> anyhow::Result<()> {
    check_written(writeln!(io::stdout(), "{line}"))
}

/// Whether writing to standard output succeeded. A reader that has gone, as `head` does, is no failure.
pub fn check_written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("can't write to standard output"),
    }
}
