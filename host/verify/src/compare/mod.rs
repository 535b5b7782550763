//! Comparing two SQLite databases, bit by bit.
//!
//! It compares the header values and the encoding, every object's schema text, the storage class
//! and the bytes of every stored cell (text as it is stored, floats by their bits), and rowids
//! where a name reaches them, unless the copy was restored from a dump without them. Rows without a defined order are compared as multisets: those of
//! SQLite's internal tables, and of tables whose rowid no name reaches. For a virtual table, only
//! the schema text is compared. Its shadow tables are compared like any table, so its module is not
//! needed.
//!
//! Both databases are read side by side; neither is ever held in memory.

mod comparison;
mod cursor;
mod database;
mod difference;
mod error;
mod name;
mod ordered;
mod rows;
mod table;
mod unordered;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;

use self::database::{Database, DatabasePair};
use self::table::{RowKey, Table};
use crate::dump::InsertedColumns;
pub use difference::{Difference, SchemaObject, Side};
pub use error::CompareError;
pub use name::Name;

/// How many differences [`compare`] returns at most.
const MAX_DIFFERENCES: usize = 100;

/// Compares two databases and returns the first 100 differences. None: they are the same.
///
/// # Errors
///
/// [`CompareError`] if one of them can't be opened, or its schema can't be read.
pub fn compare(original: &Path, copy: &Path) -> Result<Vec<Difference>, CompareError> {
    let mut differences = Vec::new();
    compare_each(original, copy, |difference| {
        if differences.len() < MAX_DIFFERENCES {
            differences.push(difference);
        }
    })?;
    Ok(differences)
}

/// A table that `ANALYZE` creates, empty, in a SQLite that was built for it. Dumps for d1 run `ANALYZE` when they are
/// restored.
const MADE_BY_ANALYZE: &[u8] = b"sqlite_stat4";

/// Compares two databases and passes every difference to `report` as it is found. There may be one for every
/// cell.
///
/// # Errors
///
/// [`CompareError`] if one of them can't be opened, or its schema can't be read.
pub fn compare_each(
    original: &Path,
    copy: &Path,
    mut report: impl FnMut(Difference),
) -> Result<(), CompareError> {
    let original = Database::open(original)?;
    let copy = Database::open(copy)?;
    let databases = DatabasePair::new(&original, &copy);
    compare_headers(&databases, &mut report);
    compare_schemas(&databases, &mut report)
}

/// Like [`compare_each`], for a copy that was restored from a dump: in one that leaves rowids out, they are not compared.
/// `inserted` is what the dump's [`DumpReport`](crate::DumpReport) says. Returns whether rowids were compared.
///
/// # Errors
///
/// [`CompareError`] if one of the databases can't be opened, or its schema can't be read.
pub fn compare_restored(
    original: &Path,
    copy: &Path,
    inserted: &InsertedColumns,
    mut report: impl FnMut(Difference),
) -> Result<bool, CompareError> {
    let original = Database::open(original)?;
    let copy = Database::open(copy)?;
    let mut databases = DatabasePair::new(&original, &copy);
    databases.has_rowids = has_rowids(&copy, inserted)?;
    compare_headers(&databases, &mut report);
    compare_schemas(&databases, &mut report)?;
    Ok(databases.has_rowids)
}

/// Whether a dump holds rowids: either all tables' that have one beside their columns, or none.
fn has_rowids(restored: &Database, inserted: &InsertedColumns) -> Result<bool, CompareError> {
    let mut leaves_out = false;
    for (object, entry) in restored.schema(restored.encoding())? {
        let has_rows = entry.has_rows && inserted.has_rows(object.name.as_bytes());
        // A table that can't be read is for the comparison.
        if has_rows
            && let Ok(table) = Table::describe(&restored.connection, &object.name)
            && let RowKey::Rowid { is_column: false, .. } = table.key
        {
            let first = inserted.first(object.name.as_bytes());
            if first.is_some_and(|column| table.is_rowid(column)) {
                return Ok(true);
            }
            leaves_out = true;
        }
    }
    Ok(!leaves_out)
}

fn compare_headers(databases: &DatabasePair<'_>, report: &mut dyn FnMut(Difference)) {
    for (before, after) in databases.original.header.iter().zip(&databases.copy.header) {
        if before != after {
            report(Difference::Header {
                name: before.0,
                original: before.1.clone(),
                copy: after.1.clone(),
            });
        }
    }
}

/// Compares the schemas, then the rows of each table that both have.
fn compare_schemas(
    databases: &DatabasePair<'_>,
    report: &mut dyn FnMut(Difference),
) -> Result<(), CompareError> {
    let encoding = databases.encoding;
    let (before, after) = (databases.original.schema(encoding)?, databases.copy.schema(encoding)?);
    for (object, entry) in &before {
        match after.get(object) {
            None => report(Difference::Missing { object: object.clone() }),
            Some(other) if other.sql != entry.sql => {
                let (original, copy) =
                    value::shown_pair(entry.sql.as_value(), other.sql.as_value(), encoding);
                report(Difference::Schema { object: object.clone(), original, copy });
            }
            Some(_) => {}
        }
    }
    let is_made_by_analyze =
        |object: &SchemaObject| object.kind == "table" && object.name.as_bytes() == MADE_BY_ANALYZE;
    let is_new =
        |object: &&SchemaObject| !before.contains_key(*object) && !is_made_by_analyze(object);
    for object in after.keys().filter(is_new) {
        report(Difference::New { object: object.clone() });
    }
    for (object, entry) in &before {
        if let Some(other) = after.get(object)
            && entry.has_rows
            && other.has_rows
        {
            rows::compare(databases, object, report);
        }
    }
    Ok(())
}
