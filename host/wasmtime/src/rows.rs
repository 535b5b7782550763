//! The interface `rows`: what a host implements to be exported.

use std::sync::Arc;

use async_trait::async_trait;

pub use crate::bindings::rows::{
    AutoVacuum, Batch, Column, ColumnKind, Encoding, Error, Object, ObjectKind, Schema, Table,
    TableFlags,
};

/// An unchanging view of a database. `partway-sqlite` implements it for SQLite; you can implement
/// it for another database, or for a view that leaves things out.
///
/// The WIT package's `rows.wit` is the contract: what each call must return, in which order rows
/// come and when a cell is long. In a synchronous linker the caller's thread waits for each result,
/// so an implementation that never awaits anything serves both kinds of hosts.
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
    /// The next rows: at most `max_bytes` of text and blobs, but at least one row unless the table
    /// has ended. The component gets a copy; an implementation that keeps the batch may read it
    /// later, or refill it once it is its only owner again.
    async fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, Error>;

    /// The position after the first `rows` rows of the last batch.
    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, Error>;

    /// Bytes of a long cell of the last batch, fewer than `max_bytes` only at the end of the value.
    /// An implementation without long cells need not implement it.
    async fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, Error> {
        let _ = (offset, max_bytes);
        Err(Error::InvalidCell(format!("cell {column} of row {row} is not long")))
    }
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

impl Schema {
    /// The schema of a UTF-8 database with SQLite's usual header: no version, pages of 4,096 bytes.
    pub fn new(objects: Vec<Object>) -> Self {
        Self {
            encoding: Encoding::Utf8,
            user_version: 0,
            application_id: 0,
            page_size: 4096,
            auto_vacuum: AutoVacuum::None,
            objects,
        }
    }
}

impl Object {
    /// An ordinary table, without rowids to keep, whose columns are stored and not part of a key.
    /// `sql` is its `CREATE TABLE`.
    pub fn table(name: &str, sql: &str, columns: &[&str]) -> Self {
        let column = |name: &&str| Column {
            name: name.as_bytes().to_vec(),
            declared_type: Vec::new(),
            kind: ColumnKind::Ordinary,
            primary_key: 0,
        };
        let table = Table {
            columns: columns.iter().map(column).collect(),
            rowid: None,
            references: Vec::new(),
            flags: TableFlags::empty(),
            estimated_rows: None,
        };
        Self {
            kind: ObjectKind::Table,
            name: name.as_bytes().to_vec(),
            on: name.as_bytes().to_vec(),
            sql: Some(sql.as_bytes().to_vec()),
            table: Some(table),
        }
    }
}

impl Default for Batch {
    /// No rows: the end of a table, or a batch to fill cell by cell.
    fn default() -> Self {
        Self {
            rows: 0,
            kinds: Vec::new(),
            integers: Vec::new(),
            reals: Vec::new(),
            lengths: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

/// Filling a batch: the cells of a row in the order of the requested columns, then
/// [`Batch::end_row`].
impl Batch {
    /// Appends an integer.
    pub fn push_integer(&mut self, value: i64) {
        self.kinds.push(1);
        self.integers.push(value);
    }

    /// Appends a float. SQLite has no NaN.
    pub fn push_real(&mut self, value: f64) {
        self.kinds.push(2);
        self.reals.push(value);
    }

    /// Appends text, in the encoding of the schema. SQLite's values are shorter than 2^31 bytes.
    pub fn push_text(&mut self, value: &[u8]) {
        self.push_bytes(3, value);
    }

    /// Appends a blob.
    pub fn push_blob(&mut self, value: &[u8]) {
        self.push_bytes(4, value);
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        self.kinds.push(5);
    }

    /// Ends a row that has all of its cells.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    fn push_bytes(&mut self, kind: u8, value: &[u8]) {
        self.kinds.push(kind);
        self.lengths.push(value.len() as u32);
        self.bytes.extend_from_slice(value);
    }
}
