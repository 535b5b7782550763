//! The WIT interface `rows` as Rust types: one unchanging view of a database.
//!
//! Components that read through it have these types and traits in common, natively and in WebAssembly. `rows.wit` says
//! what every item means, in which units and order; here stands only what is particular to this side.
//!
//! In WebAssembly the bindings are here too: `HostRows` is the import `rows`, and the macro `export_rows!` with
//! `Transform` makes any [`Rows`] the export `rows`. So components that are written apart can be linked into one: what
//! changes rows on the way is an implementation of [`Rows`] over another one.
#![no_std]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

mod affinity;
#[cfg(target_arch = "wasm32")]
mod guest;

pub use affinity::Affinity;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use dlmalloc::GlobalDlmalloc;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::bindings;
#[cfg(target_arch = "wasm32")]
pub use guest::{HostRows, Transform, bindings::export_rows};

/// Text as a database holds it: bytes that may not decode.
pub type Text = Vec<u8>;

/// An opaque mark between two rows of one table, made by the host.
pub type Position = Vec<u8>;

/// `rows`: one unchanging view of a database.
pub trait Rows {
    /// An open table.
    type Cursor: Cursor;

    /// The whole schema.
    fn describe(&self) -> Result<Schema, RowsError>;

    /// Opens a table after the position `after`, or at its start, in the order of its key.
    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<Self::Cursor, RowsError>;
}

/// `rows.cursor`: an open table, read forward.
pub trait Cursor {
    /// The next rows, as many as come to `max_bytes` of text and blobs.
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError>;

    /// The mark after the first `rows` rows of the last batch.
    fn position(&self, rows: u32) -> Result<Position, RowsError>;

    /// Bytes of a long cell of the last batch.
    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError>;
}

/// How the text of a database's cells is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian.
    Utf16le,
    /// UTF-16, big-endian.
    Utf16be,
}

/// The header's `auto_vacuum` setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoVacuum {
    /// Free pages stay in the file.
    None,
    /// Every commit gives free pages back.
    Full,
    /// Free pages are given back on request.
    Incremental,
}

/// What the schema table says an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A table of any sort.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
}

/// What a column is, beside its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Stored, and to be written when rows are.
    Ordinary,
    /// Computed when read.
    GeneratedVirtual,
    /// Computed when written.
    GeneratedStored,
    /// Hidden, in a virtual table.
    Hidden,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, unquoted.
    pub name: Text,
    /// The type as declared.
    pub declared_type: Text,
    /// Stored, computed or hidden.
    pub kind: ColumnKind,
    /// Its place in the primary key, from 1; 0: not part of it.
    pub primary_key: u32,
}

/// What sort of table it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableFlags {
    /// Declared WITHOUT ROWID.
    pub without_rowid: bool,
    /// Declared STRICT.
    pub strict: bool,
    /// A virtual table.
    pub is_virtual: bool,
    /// A shadow table of a virtual table.
    pub shadow: bool,
}

/// The details of a table, beside its SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// All columns, in the order of the declaration.
    pub columns: Vec<Column>,
    /// The name under which `scan` gives the rowid.
    pub rowid: Option<Text>,
    /// The tables that its foreign keys name.
    pub references: Vec<Text>,
    /// What sort of table it is.
    pub flags: TableFlags,
    /// A guess at the number of rows.
    pub estimated_rows: Option<u64>,
}

/// One row of the schema table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, unquoted.
    pub name: Text,
    /// The table it belongs to.
    pub on: Text,
    /// Its SQL exactly as stored.
    pub sql: Option<Text>,
    /// The details, for a table.
    pub table: Option<Table>,
}

/// The whole schema, and the header numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The encoding of text cells.
    pub encoding: Encoding,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// `PRAGMA page_size`, in bytes.
    pub page_size: u32,
    /// `PRAGMA auto_vacuum`.
    pub auto_vacuum: AutoVacuum,
    /// Every object in the order in which the schema table stores them.
    pub objects: Vec<Object>,
}

/// Rows, as a struct of arrays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// How many rows; 0: the end of the table.
    pub rows: u32,
    /// One code a cell: 1 integer, 2 float, 3 text, 4 blob, 5 NULL, 6 long text, 7 long blob.
    pub kinds: Vec<u8>,
    /// The integer cells.
    pub integers: Vec<i64>,
    /// The float cells.
    pub reals: Vec<f64>,
    /// The length of each text and blob cell.
    pub lengths: Vec<u32>,
    /// The bytes of the text and blob cells that are not long.
    pub bytes: Vec<u8>,
}

/// Why something could not be read: `rows.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsError {
    /// The schema has no such table.
    UnknownTable(String),
    /// The table has no such column.
    UnknownColumn(String),
    /// The position is not one of this table.
    InvalidPosition(String),
    /// A cell outside the last batch, or one that is not long.
    InvalidCell(String),
    /// This table can't be read here, others can.
    Unavailable(String),
    /// The database is damaged in this table.
    Corrupt(String),
    /// The host wants the slice to end now.
    Interrupted,
    /// Reading failed for another reason; trying again may help.
    Failed(String),
}
