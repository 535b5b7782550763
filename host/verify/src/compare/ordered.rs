//! Rows that have an order: by rowid, or by the key of a table WITHOUT ROWID. Both sides are read along with
//! each other.

use std::cmp::Ordering;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::columns::Identity;
use super::cursor::Cursor;
use super::rows::{Of, Rows, Unreadable};
use super::value::{is_same, shown_pair};
use super::{Difference, Side};

/// Compares row by row.
pub(crate) fn compare(
    rows: &mut Rows<'_>,
    mut original: Cursor<'_>,
    mut copy: Cursor<'_>,
) -> Result<(), Unreadable> {
    let mut has = (original.advance().of(Side::Original)?, copy.advance().of(Side::Copy)?);
    loop {
        let order = match has {
            (false, false) => return Ok(()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => order(rows, &original, &copy)?,
        };
        match order {
            Ordering::Less => rows.missing_row(original.shown_row().of(Side::Original)?),
            Ordering::Greater => rows.new_row(copy.shown_row().of(Side::Copy)?),
            Ordering::Equal => compare_cells(rows, &original, &copy)?,
        }
        if order.is_le() {
            has.0 = original.advance().of(Side::Original)?;
        }
        if order.is_ge() {
            has.1 = copy.advance().of(Side::Copy)?;
        }
    }
}

/// Less: the copy has no such row as the original's; greater: it has one more.
fn order(
    rows: &Rows<'_>,
    original: &Cursor<'_>,
    copy: &Cursor<'_>,
) -> Result<Ordering, Unreadable> {
    let Identity::Key(key) = &rows.table.identity else {
        let (one, other) = (original.rowid().of(Side::Original)?, copy.rowid().of(Side::Copy)?);
        return Ok(one.cmp(&other));
    };
    for column in key {
        let one = original.cell(*column).of(Side::Original)?;
        let other = copy.cell(*column).of(Side::Copy)?;
        if !is_same(one, other) {
            // Which comes first depends on collations that may not be known here: ask each for the other's.
            let sql = rows.table.key_query(key);
            let pair = rows.pair;
            if !has_row(&pair.copy.connection, &sql, original, key, Side::Copy)? {
                return Ok(Ordering::Less);
            }
            if !has_row(&pair.original.connection, &sql, copy, key, Side::Original)? {
                return Ok(Ordering::Greater);
            }
            // To SQLite the two are one key.
            return Ok(Ordering::Equal);
        }
    }
    Ok(Ordering::Equal)
}

/// Whether one side has a row with the key of the other side's row.
fn has_row(
    connection: &Connection,
    sql: &str,
    row: &Cursor<'_>,
    key: &[usize],
    side: Side,
) -> Result<bool, Unreadable> {
    let mut parameters = Vec::new();
    for column in key {
        let value = row.cell(*column).of(side)?;
        let (is_text, value) = match value {
            ValueRef::Text(bytes) => (1, Value::Blob(bytes.to_vec())),
            ValueRef::Null => (0, Value::Null),
            ValueRef::Integer(number) => (0, Value::Integer(number)),
            ValueRef::Real(number) => (0, Value::Real(number)),
            ValueRef::Blob(bytes) => (0, Value::Blob(bytes.to_vec())),
        };
        parameters.push(Value::Integer(is_text));
        parameters.push(value);
    }
    let mut statement = connection.prepare_cached(sql).of(side)?;
    statement.exists(params_from_iter(parameters)).of(side)
}

fn compare_cells(
    rows: &mut Rows<'_>,
    original: &Cursor<'_>,
    copy: &Cursor<'_>,
) -> Result<(), Unreadable> {
    for (index, column) in rows.table.columns.iter().enumerate() {
        let one = original.cell(index).of(Side::Original)?;
        let other = copy.cell(index).of(Side::Copy)?;
        if !is_same(one, other) {
            let row = original.shown_row().of(Side::Original)?;
            let (original, copy) = shown_pair(one, other, rows.pair.form);
            let (object, column) = (rows.object.clone(), column.clone());
            (rows.found)(Difference::Cell { object, row, column, original, copy });
        }
    }
    Ok(())
}
