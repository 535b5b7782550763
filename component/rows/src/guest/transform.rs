//! The export: rows for the next component.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::marker::PhantomData;

use super::bindings::exports::partway::pipe::rows;
use crate::{Cursor, Rows};

/// Any rows as the component's export `rows`, by [`export_rows!`](crate::export_rows).
pub struct Transform<R>(PhantomData<R>);

impl<R> rows::Guest for Transform<R>
where
    R: Rows<Cursor: 'static> + Default + 'static,
{
    type Cursor = OpenCursor<R::Cursor>;

    fn describe() -> Result<rows::Schema, rows::Error> {
        Ok(R::default().describe()?.into())
    }

    fn scan(
        table: rows::Text,
        columns: Vec<rows::Text>,
        after: Option<rows::Position>,
    ) -> Result<rows::Cursor, rows::Error> {
        let cursor = R::default().scan(&table, &columns, after.as_deref())?;
        Ok(rows::Cursor::new(OpenCursor(RefCell::new(cursor))))
    }
}

/// A cursor that the next component holds.
pub struct OpenCursor<C>(RefCell<C>);

impl<C: Cursor + 'static> rows::GuestCursor for OpenCursor<C> {
    fn next(&self, max_bytes: u32) -> Result<rows::Batch, rows::Error> {
        Ok(self.0.borrow_mut().next(max_bytes)?.into())
    }

    fn position(&self, rows: u32) -> Result<rows::Position, rows::Error> {
        Ok(self.0.borrow().position(rows)?)
    }

    fn read(
        &self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, rows::Error> {
        Ok(self.0.borrow_mut().read(row, column, offset, max_bytes)?)
    }
}
