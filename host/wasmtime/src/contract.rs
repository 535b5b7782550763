//! What a host supplies to a component: rows, parts and pacing, as traits to implement, in the words of
//! the WIT package `partway:pipe`.

use std::sync::Arc;

use crate::bindings::partway::pipe;

/// The types of the WIT interface `rows`.
pub mod rows {
    pub use crate::bindings::partway::pipe::rows::{
        AutoVacuum, Batch, Column, ColumnKind, Encoding, Error, Object, ObjectKind, Schema, Table,
        TableFlags,
    };
}

/// The types of the WIT interface `parts`.
pub mod parts {
    pub use crate::bindings::partway::pipe::parts::Error;
}

/// The types of the WIT interface `exporter`.
pub mod exporter {
    pub use crate::bindings::exports::partway::pipe::exporter::{
        Budget, Error, More, Options, Outcome, Progress, Summary,
    };
}

/// One unchanging view of a database. [`Snapshot`](crate::Snapshot) implements it over SQLite; another
/// database, or a view that leaves things out, can stand behind it as well.
///
/// The WIT package's `rows.wit` is the contract: what each call must answer, in which order rows come
/// and when a cell is long.
pub trait Rows: Send {
    /// The whole schema.
    fn describe(&mut self) -> Result<pipe::rows::Schema, pipe::rows::Error>;

    /// Opens a table behind `after`, or at its start, in the order of its key.
    fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, pipe::rows::Error>;
}

/// A place in a table that moves forward.
pub trait Cursor: Send {
    /// The next rows: as many as come to `max_bytes` of text and blobs, at least one while there is any. The component gets
    /// a copy; who keeps the batch may look at it later, or fill it anew once it is its only owner again.
    fn next(&mut self, max_bytes: u32) -> Result<Arc<pipe::rows::Batch>, pipe::rows::Error>;

    /// The mark after the first `rows` rows of the last batch.
    fn position(&mut self, rows: u32) -> Result<Vec<u8>, pipe::rows::Error>;

    /// Bytes of a long cell of the last batch, fewer than `max_bytes` only where the value ends.
    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, pipe::rows::Error>;
}

/// Where the object goes. [`Upload`](crate::Upload) implements it over a [`Store`](crate::Store).
pub trait Parts: Send {
    /// Takes one part. Numbers count from 1. It may block, to hold back a component that is faster
    /// than the store, and it may return before the bytes are safe; but whoever stores the slice's
    /// checkpoint must wait until they are.
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), pipe::parts::Error>;
}

/// The host's clock and its wish to stop.
pub trait Pacing: Send {
    /// Whether the slice should end soon, at the end of its last whole part.
    fn should_yield(&self) -> bool;

    /// Whether the slice should end at once though it has written no part; its reads then fail
    /// with `interrupted`.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Whether the slice is over, whatever it has written: its reads fail with `interrupted`, and a component that
    /// goes on by itself is interrupted. What it has written is lost.
    fn is_cut_off(&self) -> bool {
        false
    }
}
