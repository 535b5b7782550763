//! Comparing two SQLite databases, bit by bit.
//!
//! It compares the header values and the encoding, every object's schema text, the storage class
//! and the bytes of every stored cell (text as it is stored, floats by their bits), and rowids
//! where a name reaches them. Rows without a defined order are compared as multisets: those of
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
mod ordered;
mod rows;
mod table;
mod unordered;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;

use self::database::{Database, DatabasePair};
pub use difference::{Difference, SchemaObject, Side};
pub use error::CompareError;

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
const MADE_BY_ANALYZE: &str = "sqlite_stat4";

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
        |object: &SchemaObject| object.kind == "table" && object.name == MADE_BY_ANALYZE;
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
