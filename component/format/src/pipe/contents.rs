//! The WIT interface `contents`: which of the object's bytes are which table's rows.

use super::Text;

/// A table's rows in the object: `contents.table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    /// The table's name.
    pub name: Text,
    /// Its rows.
    pub rows: u64,
    /// The offset of the first byte that belongs to them.
    pub start: u64,
    /// The offset after the last.
    pub end: u64,
    /// The XXH64 of these bytes.
    pub xxh64: u64,
}
