//! The floor: every row of every table stepped to, and every cell read. No dump can be made with less.

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::statement::Statement;

/// What was read.
#[derive(Default)]
pub struct Read {
    pub rows: u64,
    pub cells: u64,
    pub bytes: u64,
}

/// Reads all tables.
pub fn read(connection: &Connection) -> Result<Read> {
    let mut read = Read::default();
    for table in tables(connection)? {
        let columns = columns(connection, &table)?.len();
        let mut rows =
            Statement::prepare(connection, &format!("SELECT * FROM {}", quoted(&table)))?;
        while rows.step()? {
            read.rows += 1;
            for column in 0..columns {
                read.cells += 1;
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = rows.cell(column) {
                    // The first and the last byte: a long value lies on several pages.
                    read.bytes += bytes.len() as u64;
                    std::hint::black_box((bytes.first(), bytes.last()));
                }
            }
        }
    }
    Ok(read)
}

/// The names of the tables, but for SQLite's own.
pub fn tables(connection: &Connection) -> Result<Vec<String>> {
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid",
    )?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The names of a table's columns that are stored.
pub fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut names =
        connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    Ok(names.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// A name in double quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
