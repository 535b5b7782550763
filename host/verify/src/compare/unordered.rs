//! Rows without an order that anybody sees: compared as a set in which a row may stand many times.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::types::ValueRef;

use super::Side;
use super::cursor::{Cursor, Queries};
use super::rows::{Of, Rows, Unreadable};

/// How many more times the original has a row, by its digest. Equal rows cancel out as both sides are read
/// along with each other, so it stays small where their orders are alike.
type Surplus = HashMap<u128, i64>;

/// Compares, then reads again what differs, to name it.
pub(crate) fn compare<'c>(
    rows: &mut Rows<'_>,
    original: &mut Queries<'c>,
    copy: &mut Queries<'c>,
) -> Result<(), Unreadable> {
    let (table, form) = (rows.table, rows.pair.form);
    let digest = Digest::default();
    let mut surplus = Surplus::new();
    {
        let mut one = original.run(table, form).of(Side::Original)?;
        let mut other = copy.run(table, form).of(Side::Copy)?;
        let mut has = (true, true);
        while has != (false, false) {
            has.0 = has.0 && one.advance().of(Side::Original)?;
            if has.0 {
                count(&mut surplus, digest.of(&one, table.columns.len()).of(Side::Original)?, 1);
            }
            has.1 = has.1 && other.advance().of(Side::Copy)?;
            if has.1 {
                count(&mut surplus, digest.of(&other, table.columns.len()).of(Side::Copy)?, -1);
            }
        }
    }
    if surplus.is_empty() {
        return Ok(());
    }
    for (queries, side, sign) in [(original, Side::Original, 1), (copy, Side::Copy, -1)] {
        let mut cursor = queries.run(table, form).of(side)?;
        while cursor.advance().of(side)? {
            let row = digest.of(&cursor, table.columns.len()).of(side)?;
            if surplus.get(&row).is_some_and(|surplus| surplus * sign > 0) {
                count(&mut surplus, row, -sign);
                let shown = cursor.shown_row().of(side)?;
                match side {
                    Side::Original => rows.missing_row(shown),
                    Side::Copy => rows.new_row(shown),
                }
            }
        }
    }
    Ok(())
}

fn count(surplus: &mut Surplus, row: u128, by: i64) {
    let number = surplus.entry(row).or_default();
    *number += by;
    if *number == 0 {
        surplus.remove(&row);
    }
}

/// Two keyed hashes side by side: no two rows have the same, but by a chance of one in 2^128.
#[derive(Default)]
struct Digest(RandomState, RandomState);

impl Digest {
    fn of(&self, row: &Cursor<'_>, columns: usize) -> rusqlite::Result<u128> {
        let mut hashers = [self.0.build_hasher(), self.1.build_hasher()];
        for column in 0..columns {
            let cell = row.cell(column)?;
            for hasher in &mut hashers {
                write(hasher, cell);
            }
        }
        let [high, low] = hashers.map(|hasher| u128::from(hasher.finish()));
        Ok(high << 64 | low)
    }
}

/// So that no two different cells write the same.
fn write(hasher: &mut impl Hasher, cell: ValueRef<'_>) {
    let (class, bytes): (u8, &[u8]) = match cell {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => (1, &number.to_le_bytes()),
        ValueRef::Real(number) => (2, &number.to_bits().to_le_bytes()),
        ValueRef::Text(bytes) => (3, bytes),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    hasher.write_u8(class);
    hasher.write_usize(bytes.len());
    hasher.write(bytes);
}
