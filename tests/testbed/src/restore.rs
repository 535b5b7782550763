//! Turning a dump into a database again.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rusqlite::Connection;

/// Who restored a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restorer {
    /// The stock `sqlite3` program.
    Program,
    /// The SQLite library inside this program: there is no `sqlite3` on this machine.
    Library,
}

/// Restores a dump into a new database, by the stock `sqlite3` program where there is one.
///
/// # Errors
///
/// Where SQLite says anything at all: a dump restores without a word.
pub fn restore(dump: &Path, database: &Path) -> Result<Restorer> {
    let input = File::open(dump).with_context(|| format!("opening {}", dump.display()))?;
    let program = Command::new("sqlite3")
        .arg("-batch")
        .arg(database)
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    match program {
        Ok(output) => {
            let printed = [output.stdout, output.stderr].concat();
            if !output.status.success() || !printed.is_empty() {
                let printed = String::from_utf8_lossy(&printed);
                bail!("restoring {} with sqlite3 failed: {}", dump.display(), printed.trim());
            }
            Ok(Restorer::Program)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = std::fs::read_to_string(dump)?;
            Connection::open(database)?
                .execute_batch(&text)
                .with_context(|| format!("restoring {}", dump.display()))?;
            Ok(Restorer::Library)
        }
        Err(error) => Err(error).context("starting sqlite3"),
    }
}
