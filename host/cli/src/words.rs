//! Words and lines that more than one command prints.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// A line on standard output.
pub fn print(line: &str) -> anyhow::Result<()> {
    printed(writeln!(io::stdout(), "{line}"))
}

/// Whether what was printed came out; a reader who has seen enough is none to complain to.
pub fn printed(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output can't be written"),
    }
}

/// A number of things in words: `1 part`, `2 parts`.
pub fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
