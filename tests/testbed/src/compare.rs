//! Whether two databases are the same: schema text, every cell's storage class and bytes, rowids,
//! header numbers, encoding.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// One way in which two databases differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rows that differ in one table are listed up to this number.
const MOST_ROWS: usize = 5;

/// Compares two databases. Empty: they are the same.
///
/// # Errors
///
/// Where one can't be read.
pub fn compare(original: &Path, copy: &Path) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let original = open(original)?;
    let copy = open(copy)?;
    for pragma in ["user_version", "application_id", "encoding"] {
        let read = |connection: &Connection| -> Result<String> {
            Ok(connection.query_row(&format!("PRAGMA {pragma}"), [], |row| {
                Ok(format!("{:?}", row.get_ref(0)?))
            })?)
        };
        let (before, after) = (read(&original)?, read(&copy)?);
        if before != after {
            differences.push(Difference(format!("{pragma}: {before} became {after}")));
        }
    }
    let (before, after) = (schema(&original)?, schema(&copy)?);
    for (object, sql) in &before {
        match after.get(object) {
            None => differences.push(Difference(format!("{object} is missing"))),
            Some(other) if other != sql => {
                differences.push(Difference(format!("{object}: {sql:?} became {other:?}")));
            }
            Some(_) => {}
        }
    }
    for object in after.keys().filter(|object| !before.contains_key(*object)) {
        differences.push(Difference(format!("{object} is new")));
    }
    for table in before.keys().filter(|object| after.contains_key(*object)) {
        if table.kind == "table" {
            compare_rows(&original, &copy, &table.name, &mut differences)
                .with_context(|| format!("comparing {table}"))?;
        }
    }
    Ok(differences)
}

fn open(path: &Path) -> Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("opening {}", path.display()))
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: String,
    name: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)
    }
}

fn schema(connection: &Connection) -> Result<BTreeMap<Object, Option<String>>> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_master")?;
    let rows = statement
        .query_map([], |row| Ok((Object { kind: row.get(0)?, name: row.get(1)? }, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Compares in the table's own order, which is that of the rowid or the primary key.
fn compare_rows(
    original: &Connection,
    copy: &Connection,
    table: &str,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let (sql, is_virtual) = rows_query(original, table)?;
    if is_virtual {
        return Ok(());
    }
    let mut before = original.prepare(&sql)?;
    let mut after = copy.prepare(&sql)?;
    let columns = before.column_count();
    let (mut before, mut after) = (before.query([])?, after.query([])?);
    let (mut number, mut found) = (0u64, 0);
    loop {
        let (one, other) = (before.next()?, after.next()?);
        let difference = match (one, other) {
            (None, None) => return Ok(()),
            (Some(_), None) => "is missing, with all behind it".to_owned(),
            (None, Some(_)) => "is new, with all behind it".to_owned(),
            (Some(one), Some(other)) => {
                let mut difference = None;
                for column in 0..columns {
                    let (one, other) = (one.get_ref(column)?, other.get_ref(column)?);
                    if !is_same(one, other) {
                        difference = Some(format!(
                            "column {column}: {} became {}",
                            shown(one),
                            shown(other)
                        ));
                        break;
                    }
                }
                number += 1;
                match difference {
                    None => continue,
                    Some(difference) => {
                        found += 1;
                        differences.push(Difference(format!(
                            "table {table:?}, row {number}, {difference}"
                        )));
                        if found == MOST_ROWS {
                            return Ok(());
                        }
                        continue;
                    }
                }
            }
        };
        differences.push(Difference(format!("table {table:?}, row {} {difference}", number + 1)));
        return Ok(());
    }
}

/// A query for all cells, and the rowid where there is one that a name reaches.
fn rows_query(connection: &Connection, table: &str) -> Result<(String, bool)> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (kind, without_rowid): (String, bool) = connection.query_row(
        "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
        [table],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut statement =
        connection.prepare("SELECT name, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns: Vec<(String, i64)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut selected: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let order = if without_rowid {
        let mut key: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        key.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(",")
    } else {
        let free =
            |name: &&str| !columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        match ["rowid", "_rowid_", "oid"].into_iter().find(free) {
            // SQLite's own tables are filled anew, and nobody sees their rowids.
            Some(rowid) if !table.starts_with("sqlite_") => {
                selected.insert(0, rowid.to_owned());
                rowid.to_owned()
            }
            Some(_) => selected.join(","),
            None => selected.join(","),
        }
    };
    let sql = format!("SELECT {} FROM {} ORDER BY {order}", selected.join(","), quoted(table));
    Ok((sql, kind == "virtual"))
}

/// The same storage class and the same bits.
fn is_same(one: ValueRef<'_>, other: ValueRef<'_>) -> bool {
    match (one, other) {
        (ValueRef::Real(one), ValueRef::Real(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

fn shown(value: ValueRef<'_>) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
