//! The interface `rows`: what a host implements to be exported.

use std::sync::Arc;

use async_trait::async_trait;

pub use crate::bindings::rows::{
    AutoVacuum, Batch, Column, ColumnKind, Encoding, Error, Object, ObjectKind, Schema, Table,
    TableFlags,
};

/// One unchanging view of a database. `partway-sqlite` implements it over SQLite; another database, or a view that leaves
/// things out, can stand behind it as well.
///
/// The WIT package's `rows.wit` is the contract: what each call must answer, in which order rows come and when a cell is
/// long. In a synchronous linker the caller's thread waits for each answer, so an implementation that never awaits
/// anything serves both forms.
#[async_trait]
pub trait Rows: Send {
    /// The whole schema.
    async fn describe(&mut self) -> Result<Schema, Error>;

    /// Opens a table after `after`, or at its start, in the order of its key.
    async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, Error>;
}

/// A place in a table that moves forward.
#[async_trait]
pub trait Cursor: Send {
    /// The next rows: as many as come to `max_bytes` of text and blobs, at least one while there is any. The component
    /// gets a copy; an implementation that keeps the batch may read it later, or fill it anew once it is its only owner
    /// again.
    async fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, Error>;

    /// The mark after the first `rows` rows of the last batch.
    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, Error>;

    /// Bytes of a long cell of the last batch, fewer than `max_bytes` only where the value ends.
    async fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, Error>;
}

#[async_trait]
impl<R: Rows + ?Sized> Rows for Box<R> {
    async fn describe(&mut self) -> Result<Schema, Error> {
        (**self).describe().await
    }

    async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, Error> {
        (**self).scan(table, columns, after).await
    }
}
