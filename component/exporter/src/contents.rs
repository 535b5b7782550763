//! Which of the object's bytes are which table's rows, and their hashes.

use alloc::vec::Vec;
use core::hash::Hasher as _;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::pipe::TableContents;

/// The table whose rows are being written, and the hash of their bytes as far as they are cut into parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTable {
    start: u64,
    hash: XxHash64,
    /// Rows exported before its first.
    rows_before: u64,
}

impl OpenTable {
    /// A table's rows begin at this offset of the object, after so many rows of others.
    pub(crate) fn begin(start: u64, rows_before: u64) -> Self {
        Self { start, hash: XxHash64::with_seed(0), rows_before }
    }

    /// Takes in the object's bytes from `offset` on, as far as they belong to the table.
    pub(crate) fn update(&mut self, offset: u64, bytes: &[u8]) {
        let before = self.start.saturating_sub(offset);
        let inside = usize::try_from(before).ok().and_then(|before| bytes.get(before..));
        self.hash.write(inside.unwrap_or_default());
    }

    /// Its rows end at this offset, after so many rows in all.
    pub(crate) fn end(self, name: &[u8], end: u64, rows: u64) -> TableContents {
        let Self { start, hash, rows_before } = self;
        let rows = rows.saturating_sub(rows_before);
        TableContents { name: name.to_vec(), rows, start, end, xxh64: hash.finish() }
    }
}

/// The tables whose rows have ended in a slice. Those behind the last checkpoint are made again.
#[derive(Debug, Default)]
pub(crate) struct EndedTables {
    tables: Vec<TableContents>,
    saved: usize,
}

impl EndedTables {
    /// The rows of a table have ended.
    pub(crate) fn push(&mut self, table: TableContents) {
        self.tables.push(table);
    }

    /// A checkpoint is taken.
    pub(crate) fn save(&mut self) {
        self.saved = self.tables.len();
    }

    /// Those before the last checkpoint.
    pub(crate) fn into_saved(mut self) -> Vec<TableContents> {
        self.tables.truncate(self.saved);
        self.tables
    }
}
