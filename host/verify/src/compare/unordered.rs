//! Comparing rows without an order, as multisets: how often each row occurs on either side.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::types::ValueRef;

use super::comparison::{OnSide, ReadFailure, TableComparison};
use super::cursor::{Cursor, TableScan};
use super::difference::Side;

/// How many more times the original has a row than the copy, by the row's digest. Both sides are read in step
/// and equal rows cancel out, so it stays small where the two return their rows in about the same order.
type Surplus = HashMap<u128, i64>;

/// Compares the digests of all rows. Where they differ, reads both tables again to name the rows.
pub(crate) fn compare<'c>(
    comparison: &mut TableComparison<'_>,
    original: &mut TableScan<'c>,
    copy: &mut TableScan<'c>,
) -> Result<(), ReadFailure> {
    let (table, encoding) = (comparison.table, comparison.databases.encoding);
    let digest = Digest::default();
    let mut surplus = Surplus::new();
    {
        let mut one = original.start(table, encoding);
        let mut other = copy.start(table, encoding);
        let mut has = (true, true);
        while has != (false, false) {
            has.0 = has.0 && one.advance().on(Side::Original)?;
            if has.0 {
                adjust(
                    &mut surplus,
                    digest.of_row(&one, table.columns.len()).on(Side::Original)?,
                    1,
                );
            }
            has.1 = has.1 && other.advance().on(Side::Copy)?;
            if has.1 {
                adjust(
                    &mut surplus,
                    digest.of_row(&other, table.columns.len()).on(Side::Copy)?,
                    -1,
                );
            }
        }
    }
    if surplus.is_empty() {
        return Ok(());
    }
    for (scan, side, sign) in [(original, Side::Original, 1), (copy, Side::Copy, -1)] {
        let mut cursor = scan.start(table, encoding);
        while cursor.advance().on(side)? {
            let row = digest.of_row(&cursor, table.columns.len()).on(side)?;
            if surplus.get(&row).is_some_and(|surplus| surplus * sign > 0) {
                adjust(&mut surplus, row, -sign);
                let shown = cursor.shown_row().on(side)?;
                match side {
                    Side::Original => comparison.missing_row(shown),
                    Side::Copy => comparison.new_row(shown),
                }
            }
        }
    }
    Ok(())
}

fn adjust(surplus: &mut Surplus, row: u128, by: i64) {
    let number = surplus.entry(row).or_default();
    *number += by;
    if *number == 0 {
        surplus.remove(&row);
    }
}

/// Two keyed 64-bit hashes: two different rows have the same digest with a probability of 1 in 2^128.
#[derive(Default)]
struct Digest(RandomState, RandomState);

impl Digest {
    fn of_row(&self, row: &Cursor<'_, '_>, columns: usize) -> rusqlite::Result<u128> {
        let mut hashers = [self.0.build_hasher(), self.1.build_hasher()];
        for column in 0..columns {
            let cell = row.cell(column)?;
            for hasher in &mut hashers {
                hash_cell(hasher, cell);
            }
        }
        let [high, low] = hashers.map(|hasher| u128::from(hasher.finish()));
        Ok(high << 64 | low)
    }
}

/// Hashes a cell with its storage class and length, so that no two different rows feed the hasher the same
/// bytes.
fn hash_cell(hasher: &mut impl Hasher, cell: ValueRef<'_>) {
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
