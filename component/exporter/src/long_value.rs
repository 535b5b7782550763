//! Values that are not in their batch, read piece by piece.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::format::TableRows;
use crate::pipe::{Cursor, Error, RowsError};

/// Some of a value's bytes between `offset` and `until`, at least one and at most `most`. None: the database is damaged
/// there, and that is to be skipped.
pub(crate) fn read_piece<C: Cursor>(
    cursor: &mut C,
    (row, column): (u32, u32),
    (offset, until): (u32, u32),
    most: u32,
    skips_damaged: bool,
) -> Result<Option<Vec<u8>>, Error> {
    let left = until - offset;
    match cursor.read(row, column, offset, left.min(most)) {
        Ok(piece) if !piece.is_empty() && piece.len() <= left as usize => Ok(Some(piece)),
        Ok(_) => Err(inconsistent()),
        Err(RowsError::Corrupt(_)) if skips_damaged => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is reported of a value of `length` bytes that can be read up to `offset` only.
pub(crate) fn cut_off<T>(table: &TableRows<T>, column: u32, length: u32, offset: u32) -> String {
    let column = table.columns.get(column as usize);
    let column = String::from_utf8_lossy(column.map(Vec::as_slice).unwrap_or_default());
    format!(
        "{}, where a value of {length} bytes in column {column} is cut off at byte {offset}",
        String::from_utf8_lossy(&table.table),
    )
}

/// The host gives other bytes than it said.
pub(crate) fn inconsistent() -> Error {
    Error::ReadFailed(String::from("a long value does not have the length that its batch gave"))
}

/// The checkpoint is of other rows.
pub(crate) fn no_such_value() -> Error {
    let text = "the checkpoint points into a value that does not exist: start the export over";
    Error::InvalidCheckpoint(String::from(text))
}
