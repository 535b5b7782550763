//! Comparing the rows of one table of both databases.

use super::comparison::{OnSide, ReadFailure, TableComparison};
use super::cursor::TableScan;
use super::database::{Database, DatabasePair};
use super::difference::{Difference, SchemaObject, Side};
use super::table::{RowKey, Table};
use super::{ordered, unordered};

/// Compares all rows of a table. One that can't be read is reported as a difference.
pub(crate) fn compare(
    databases: &DatabasePair<'_>,
    object: &SchemaObject,
    report: &mut dyn FnMut(Difference),
) {
    let described =
        |database: &Database, side| describe(database, object, databases.has_rowids).on(side);
    let original = described(databases.original, Side::Original);
    let copy = described(databases.copy, Side::Copy);
    let result = match (original, copy) {
        (Ok(table), Ok(other)) if table == other => {
            compare_rows(&mut TableComparison { databases, object, table: &table, report })
        }
        (Ok(table), Ok(other)) => {
            let (object, original, copy) = (object.clone(), table.to_string(), other.to_string());
            return report(Difference::Columns { object, original, copy });
        }
        (Err(one), Err(other)) => {
            report(one.into_difference(object));
            Err(other)
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    };
    if let Err(failure) = result {
        report(failure.into_difference(object));
    }
}

/// A table; where rowids don't count, without the one that is not among its columns.
fn describe(
    database: &Database,
    object: &SchemaObject,
    has_rowids: bool,
) -> rusqlite::Result<Table> {
    let mut table = Table::describe(&database.connection, &object.name)?;
    if let RowKey::Rowid { is_column: false, .. } = table.key
        && !has_rowids
    {
        table.key = RowKey::None;
    }
    Ok(table)
}

fn compare_rows(comparison: &mut TableComparison<'_>) -> Result<(), ReadFailure> {
    let (databases, table) = (comparison.databases, comparison.table);
    let encoding = databases.encoding;
    let prepare = |connection, side| TableScan::prepare(connection, table, encoding).on(side);
    let mut original = prepare(&databases.original.connection, Side::Original)?;
    let mut copy = prepare(&databases.copy.connection, Side::Copy)?;
    match table.key {
        RowKey::None => unordered::compare(comparison, &mut original, &mut copy),
        RowKey::Rowid { .. } | RowKey::PrimaryKey(_) => {
            let (original, copy) = (original.start(table, encoding), copy.start(table, encoding));
            ordered::compare(comparison, original, copy)
        }
    }
}
