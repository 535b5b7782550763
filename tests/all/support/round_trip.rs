//! From a database to a dump and back, with everything looked at that a dump promises.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use partway_testbed::{compare, restore};
use partway_wasmtime::exporter::Exporter;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::support::{export_with, job_options, sha256};

/// What a database came to.
#[derive(Debug)]
pub struct RoundTrip {
    /// The SHA-256 of the dump.
    pub sha256: String,
    /// The restored database.
    pub restored: PathBuf,
}

/// Exports a database in slices, restores the dump by the stock `sqlite3` program and compares; then
/// exports it once more in one slice, which must give the same object.
///
/// # Errors
///
/// What failed, or how the restored database differs.
pub fn round_trip(
    exporter: &Exporter,
    database: &Path,
    folder: &Path,
    part_size: u32,
    budget: impl FnMut() -> u32,
) -> Result<RoundTrip> {
    let sliced = export_with(exporter, database, folder, job_options(part_size), budget)
        .context("exporting in slices")?;
    let restored = PathBuf::from(format!("{}.restored", sliced.file.display()));
    restore(&sliced.file, &restored)?;
    let mut differences: Vec<String> =
        compare(database, &restored)?.iter().map(ToString::to_string).collect();
    let (before, after) = (integrity(database)?, integrity(&restored)?);
    if before != after {
        let only = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|line| !other.contains(line)).take(5).cloned().collect()
        };
        let (gone, new) = (only(&before, &after), only(&after, &before));
        differences.push(format!("PRAGMA integrity_check: {gone:?} became {new:?}"));
    }
    if !differences.is_empty() {
        bail!("{}", differences.join("\n"));
    }

    let reference = sha256(&sliced.file);
    let whole = export_with(exporter, database, folder, job_options(1024 * 1024), || u32::MAX)
        .context("exporting in one slice")?;
    ensure!(whole.finished.totals.slices == 1, "{} slices", whole.finished.totals.slices);
    ensure!(sha256(&whole.file) == reference, "another object in one slice than in many");
    ensure!(sliced.finished.sha256 == reference, "a wrong SHA-256 is told");
    Ok(RoundTrip { sha256: reference, restored })
}

/// What SQLite finds wrong in a database. Rows that break a constraint are found in a true copy too.
fn integrity(database: &Path) -> Result<Vec<String>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut found = Vec::new();
    for check in [
        "PRAGMA integrity_check(1000000)",
        // Without the rowids: those that no name reaches are not kept.
        "SELECT \"table\", parent, fkid FROM pragma_foreign_key_check",
    ] {
        // A foreign key that fits no key is an error of the check itself.
        if let Err(error) = lines(&connection, check, &mut found) {
            found.push(error.to_string());
        }
    }
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    if encoding != "UTF-8" {
        // SQLite from 3.43 on fills and checks indexes without byte order marks of long texts; 3.40 has them.
        found.retain(|line| !line.contains(" index ") && line != "ok");
    }
    found.sort();
    Ok(found)
}

fn lines(connection: &Connection, sql: &str, to: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cell = |column| match row.get_ref(column)? {
            ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            other => Ok(format!("{other:?}")),
        };
        let cells: rusqlite::Result<Vec<String>> = (0..columns).map(cell).collect();
        to.push(cells?.join(" "));
    }
    Ok(())
}
