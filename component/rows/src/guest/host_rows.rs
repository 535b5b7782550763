//! The import: the host's rows.

use alloc::vec::Vec;

use super::bindings::partway::pipe::rows;
use crate::{Batch, Cursor, Position, Rows, RowsError, Schema, Text};

/// What is behind the component's import `rows`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostRows;

impl Rows for HostRows {
    type Cursor = rows::Cursor;

    fn describe(&self) -> Result<Schema, RowsError> {
        Ok(rows::describe()?.into())
    }

    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<rows::Cursor, RowsError> {
        Ok(rows::scan(table, columns, after)?)
    }
}

impl Cursor for rows::Cursor {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        Ok(rows::Cursor::next(self, max_bytes)?.into())
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok(rows::Cursor::position(self, rows)?)
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        Ok(rows::Cursor::read(self, row, column, offset, max_bytes)?)
    }
}
