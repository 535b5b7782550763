//! A cursor over a table's rows, as they are or changed on the way.

use alloc::vec::Vec;

use crate::changed_rows::{ChangedRows, LongCell, Passage};
use crate::redaction::DIGEST;
use partway_rows::{Batch, Cursor, Position, RowsError};

/// A cursor over what is kept of a table.
pub struct RedactedCursor<C> {
    inner: C,
    /// The policy's, which positions begin with.
    digest: Option<[u8; DIGEST]>,
    /// None: rows pass as they are.
    changed: Option<ChangedRows>,
}

impl<C: Cursor> RedactedCursor<C> {
    /// Hands on everything as it is.
    pub(crate) fn unchanged(inner: C) -> Self {
        Self { inner, digest: None, changed: None }
    }

    pub(crate) fn new(inner: C, passage: Passage, digest: [u8; DIGEST]) -> Self {
        let changed = (!passage.changes_nothing()).then(|| ChangedRows::new(passage));
        Self { inner, digest: Some(digest), changed }
    }
}

impl<C: Cursor> Cursor for RedactedCursor<C> {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        match &mut self.changed {
            None => self.inner.next(max_bytes),
            Some(changed) => changed.next(&mut self.inner, max_bytes),
        }
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        let inner = match &self.changed {
            None => rows,
            Some(changed) => changed.inner_rows(rows)?,
        };
        let inner = self.inner.position(inner)?;
        let Some(digest) = &self.digest else { return Ok(inner) };
        Ok([&digest[..], &inner].concat())
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        let Some(changed) = &self.changed else {
            return self.inner.read(row, column, offset, max_bytes);
        };
        match changed.long_cell(row, column)? {
            LongCell::Inner { row, column } => self.inner.read(*row, *column, offset, max_bytes),
            LongCell::Made(bytes) => {
                let from = bytes.get(offset as usize..).unwrap_or_default();
                Ok(from[..from.len().min(max_bytes as usize)].to_vec())
            }
        }
    }
}
