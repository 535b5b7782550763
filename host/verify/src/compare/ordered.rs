//! Comparing rows that have an order, by rowid or by the key of a WITHOUT ROWID table: a merge of both sides.

use std::cmp::Ordering;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::comparison::{OnSide, ReadFailure, TableComparison};
use super::cursor::Cursor;
use super::difference::{Difference, Side};
use super::table::RowKey;
use super::value::{is_same, shown_pair};
use crate::statement::Statement;

/// Compares row by row, with one row of each side in memory.
pub(crate) fn compare(
    comparison: &mut TableComparison<'_>,
    mut original: Cursor<'_, '_>,
    mut copy: Cursor<'_, '_>,
) -> Result<(), ReadFailure> {
    let mut has = (original.advance().on(Side::Original)?, copy.advance().on(Side::Copy)?);
    loop {
        let order = match has {
            (false, false) => return Ok(()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => order(comparison, &original, &copy)?,
        };
        match order {
            Ordering::Less => comparison.missing_row(original.shown_row().on(Side::Original)?),
            Ordering::Greater => comparison.new_row(copy.shown_row().on(Side::Copy)?),
            Ordering::Equal => compare_cells(comparison, &original, &copy)?,
        }
        if order.is_le() {
            has.0 = original.advance().on(Side::Original)?;
        }
        if order.is_ge() {
            has.1 = copy.advance().on(Side::Copy)?;
        }
    }
}

/// Which row comes first. Less: the copy lacks the original's row. Greater: the original lacks the copy's row.
fn order(
    comparison: &TableComparison<'_>,
    original: &Cursor<'_, '_>,
    copy: &Cursor<'_, '_>,
) -> Result<Ordering, ReadFailure> {
    let RowKey::PrimaryKey(key) = &comparison.table.key else {
        let (one, other) = (original.rowid().on(Side::Original)?, copy.rowid().on(Side::Copy)?);
        return Ok(one.cmp(&other));
    };
    for column in key {
        let one = original.cell(*column).on(Side::Original)?;
        let other = copy.cell(*column).on(Side::Copy)?;
        if !is_same(one, other) {
            // Which comes first depends on collations that may not be known here: ask each side for the
            // other's key.
            let sql = comparison.table.key_query(key);
            let databases = comparison.databases;
            if !has_row(&databases.copy.connection, &sql, original, key, Side::Copy)? {
                return Ok(Ordering::Less);
            }
            if !has_row(&databases.original.connection, &sql, copy, key, Side::Original)? {
                return Ok(Ordering::Greater);
            }
            // To SQLite the two are the same key.
            return Ok(Ordering::Equal);
        }
    }
    Ok(Ordering::Equal)
}

/// Whether the database of `side` has a row with the key of the other side's row.
fn has_row(
    connection: &Connection,
    sql: &[u8],
    row: &Cursor<'_, '_>,
    key: &[usize],
    side: Side,
) -> Result<bool, ReadFailure> {
    let mut parameters = Vec::new();
    for column in key {
        let (is_text, value) = match row.cell(*column).on(side)? {
            ValueRef::Text(bytes) => (1, ValueRef::Blob(bytes)),
            other => (0, other),
        };
        parameters.extend([ValueRef::Integer(is_text), value]);
    }
    let mut statement = Statement::prepare(connection, sql).on(side)?;
    statement.bind(parameters).on(side)?;
    statement.step().on(side)
}

fn compare_cells(
    comparison: &mut TableComparison<'_>,
    original: &Cursor<'_, '_>,
    copy: &Cursor<'_, '_>,
) -> Result<(), ReadFailure> {
    for (index, column) in comparison.table.columns.iter().enumerate() {
        let one = original.cell(index).on(Side::Original)?;
        let other = copy.cell(index).on(Side::Copy)?;
        if !is_same(one, other) {
            let row = original.shown_row().on(Side::Original)?;
            let (original, copy) = shown_pair(one, other, comparison.databases.encoding);
            let (object, column) = (comparison.object.clone(), column.clone());
            (comparison.report)(Difference::Cell { object, row, column, original, copy });
        }
    }
    Ok(())
}
