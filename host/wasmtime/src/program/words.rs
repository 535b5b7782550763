//! Words and lines that more than one command prints.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, anyhow};

/// What to say of an export in which damaged tables are missing in part.
pub fn incomplete(damaged: &[String]) -> anyhow::Error {
    anyhow!(
        "the export is not complete: the database is damaged, and could not be read to the end in table {}; all \
         else is there. `sqlite3 FILE .recover` may save more",
        damaged.join("; in table ")
    )
}

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

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
