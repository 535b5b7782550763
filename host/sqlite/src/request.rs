//! The requests to the thread that owns the connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_channel::oneshot;

use crate::batch_queue::BatchSender;
use crate::catalog::Catalog;
use crate::estimate::Expected;
use crate::filter::{FilterError, Filters};
use crate::long_value::Piece;
use crate::position::Position;
use crate::table_query::TableQuery;
use partway_wasmtime::rows::Error as RowsError;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, RowsError>>;

/// One request. Those without a reply are never waited for.
pub(crate) enum Request {
    /// The schema.
    Describe(Reply<Arc<Catalog>>),
    /// About how much there is to export from these tables; none: from all. `bytes`: the size of the database.
    Estimate { tables: Vec<String>, wal: bool, bytes: u64, reply: Reply<Expected> },
    /// Checks conditions, each for the table of a name.
    Filters(Vec<(String, String)>, Reply<Result<Filters, FilterError>>),
    /// A scan of a table.
    Open(OpenScan),
    /// Batches are wanted of a cursor, of so many bytes of text and blobs.
    Read { cursor: u64, max_bytes: u32 },
    /// A piece of a long value.
    Piece(Piece, Reply<Vec<u8>>),
    /// A copy of the database in a new file. `wal`: whether a part of it may be in a log.
    Copy { to: PathBuf, wal: bool, stop: Arc<AtomicBool>, reply: Reply<()> },
    /// Nothing is wanted of the cursor for now.
    Pause { cursor: u64 },
    /// The cursor is not needed any more.
    Close { cursor: u64 },
}

/// A scan to open.
pub(crate) struct OpenScan {
    /// The cursor's number from now on.
    pub(crate) cursor: u64,
    pub(crate) query: Arc<TableQuery>,
    pub(crate) after: Position,
    /// Where its batches go.
    pub(crate) batches: BatchSender,
    /// The text and blob bytes of a batch, where reading starts before the cursor asks.
    pub(crate) max_bytes: Option<u32>,
}
