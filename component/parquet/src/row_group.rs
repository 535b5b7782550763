//! A row group in memory: cells in, column chunks out.

use alloc::vec::Vec;

use partway_format::cells::Cell;
use partway_format::pipe::Encoding;
use partway_format::values::{decode, write_integer, write_shortest};

use crate::bytes::append;
use crate::column_chunk::ColumnChunk;
use crate::look::is_valid;
use crate::page::Pages;
use crate::types::{ColumnType, is_exact};

/// What all dictionaries of a row group may take together, and one of them, in bytes.
const DICTIONARIES: usize = 4 * 1024 * 1024;
const DICTIONARY: usize = 512 * 1024;

/// The most rows of a row group, however small they are.
const MOST_ROWS: u64 = 1024 * 1024;

/// Rows, column by column.
pub(crate) struct RowGroup<'a> {
    types: &'a [ColumnType],
    encoding: Encoding,
    columns: Vec<ColumnChunk>,
    pub(crate) rows: u64,
    /// The bytes of the values, as if they were all written as they are.
    bytes: usize,
}

impl<'a> RowGroup<'a> {
    /// Without rows.
    pub(crate) fn new(types: &'a [ColumnType], encoding: Encoding) -> Self {
        let most = DICTIONARY.min(DICTIONARIES / types.len().max(1));
        let chunk = |of: &ColumnType| ColumnChunk::new(of.physical(), most);
        Self { types, encoding, columns: types.iter().map(chunk).collect(), rows: 0, bytes: 0 }
    }

    /// Whether it ends here, where it is to have so many bytes.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.bytes >= limit || self.rows >= MOST_ROWS
    }

    /// Whether it ends before a row that has so many bytes.
    pub(crate) fn ends_before(&self, bytes: u64, limit: usize) -> bool {
        self.rows > 0 && self.bytes as u64 + bytes > limit as u64
    }

    /// Appends a value to a column. What it is instead, if it does not fit.
    #[inline]
    pub(crate) fn push(
        &mut self,
        column: usize,
        cell: Cell<'_>,
        pages: &mut Pages,
    ) -> Result<(), &'static str> {
        let (Some(chunk), Some(of)) = (self.columns.get_mut(column), self.types.get(column)) else {
            return Ok(());
        };
        self.bytes += push(chunk, *of, self.encoding, cell, pages)?;
        Ok(())
    }

    /// Its columns; it has no rows then.
    pub(crate) fn take(&mut self) -> Vec<ColumnChunk> {
        let empty = Self::new(self.types, self.encoding);
        core::mem::replace(self, empty).columns
    }
}

/// Appends a value to a column of a type. How much the row group grows, or what the value is if it does not fit.
#[inline]
pub(crate) fn push(
    chunk: &mut ColumnChunk,
    of: ColumnType,
    encoding: Encoding,
    cell: Cell<'_>,
    pages: &mut Pages,
) -> Result<usize, &'static str> {
    Ok(match (cell, of) {
        (Cell::Null, _) => chunk.push_null(pages),
        // Which SQLite can't store.
        (Cell::Real(value), _) if value.is_nan() => chunk.push_null(pages),
        (Cell::Integer(value), ColumnType::Integer) => chunk.push_fixed(value.to_le_bytes(), pages),
        (Cell::Integer(value), ColumnType::Real) => {
            if !is_exact(value) {
                return Err("an integer that no float is equal to");
            }
            chunk.push_fixed((value as f64).to_le_bytes(), pages)
        }
        (Cell::Real(value), ColumnType::Real) => chunk.push_fixed(value.to_le_bytes(), pages),
        (Cell::Real(_), ColumnType::Integer) => return Err("a float"),
        (Cell::Text(_) | Cell::Utf8(_), ColumnType::Integer | ColumnType::Real) => {
            return Err("text");
        }
        (Cell::Blob(_), ColumnType::Integer | ColumnType::Real | ColumnType::Text) => {
            return Err("a blob");
        }
        (Cell::Integer(value), _) => chunk.push_bytes(|to| write_integer(to, value), pages),
        (Cell::Real(value), _) => chunk.push_bytes(|to| write_real(to, value), pages),
        (Cell::Utf8(text), _) if encoding == Encoding::Utf8 => {
            chunk.push_bytes(|to| append(to, text), pages)
        }
        (Cell::Text(text) | Cell::Utf8(text), ColumnType::Text | ColumnType::Bytes) => {
            if !is_valid(text, encoding) {
                return Err("text that is invalid in the database's encoding");
            }
            chunk.push_bytes(|to| write_text(to, text, encoding), pages)
        }
        (Cell::Text(bytes) | Cell::Utf8(bytes) | Cell::Blob(bytes), _) => {
            chunk.push_bytes(|to| append(to, bytes), pages)
        }
        // Whoever reads the row reads these, and gives them as they are.
        (Cell::Long { .. }, _) => return Err("a value that has not been read"),
    })
}

/// The digits that CSV has.
fn write_real(to: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_shortest(to, value);
    } else {
        to.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}

/// Text that is valid.
fn write_text(to: &mut Vec<u8>, text: &[u8], encoding: Encoding) {
    match encoding {
        Encoding::Utf8 => to.extend_from_slice(text),
        _ => to.extend_from_slice(decode(text, encoding, true).text.as_bytes()),
    }
}
