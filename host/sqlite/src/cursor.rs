//! The caller's cursor: it asks the thread that reads for a table's rows, and takes them from the queue.

use std::sync::Arc;

use crate::batch_queue::{BatchReceiver, batch_queue};
use crate::error::reader_has_ended;
use crate::long_value::Piece;
use crate::paused_scan::PausedScan;
use crate::position::Position;
use crate::request::{OpenScan, Request};
use crate::shared_state::SharedState;
use crate::table_query::TableQuery;
use partway_wasmtime::async_trait;
use partway_wasmtime::rows::{Batch, Cursor, Error as RowsError};

/// A scan of one table. Opening it does not wait.
pub(crate) struct TableCursor {
    shared: Arc<SharedState>,
    /// How many interruptions there had been when it was opened.
    interruptions: u32,
    query: Arc<TableQuery>,
    /// By which the thread knows it.
    number: u64,
    /// None once it is closed.
    batches: Option<BatchReceiver>,
}

impl TableCursor {
    /// Opens a scan after a position, or resumes the one that the last slice has left there.
    pub(crate) fn open(shared: &Arc<SharedState>, query: TableQuery, after: Position) -> Self {
        let mut cursor = Self {
            shared: shared.clone(),
            interruptions: shared.interruptions(),
            query: Arc::new(query),
            number: 0,
            batches: None,
        };
        if !cursor.resume(&after) {
            // It will most likely be read in batches of the same size as the last scan.
            cursor.start(after, shared.max_bytes());
        }
        cursor
    }

    /// Takes over the paused scan; false: there is none, or it is of no use here.
    fn resume(&mut self, after: &Position) -> bool {
        let Some(paused) = self.shared.take_paused() else { return false };
        let cursor = paused.cursor;
        let Some(batches) = paused.resume(&self.query, after, self.interruptions) else {
            self.shared.send(Request::Close { cursor });
            return false;
        };
        if let Some(max_bytes) = batches.max_bytes() {
            self.shared.send(Request::Read { cursor, max_bytes });
        }
        self.number = cursor;
        self.batches = Some(batches);
        true
    }

    /// Starts a scan of its own. `max_bytes`: reading starts at once, in batches of this size.
    fn start(&mut self, after: Position, max_bytes: Option<u32>) {
        let (sender, receiver) = batch_queue(after.clone(), max_bytes, self.shared.spare());
        self.number = self.shared.next_cursor();
        self.batches = Some(receiver);
        let (cursor, query) = (self.number, self.query.clone());
        let open = OpenScan { cursor, query, after, batches: sender, max_bytes };
        self.shared.send(Request::Open(open));
    }

    fn batches(&self) -> Result<&BatchReceiver, RowsError> {
        self.batches.as_ref().ok_or_else(reader_has_ended)
    }
}

#[async_trait]
impl Cursor for TableCursor {
    async fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, RowsError> {
        let batches = self.batches()?;
        if batches.has_other_size(max_bytes) {
            // What is there was read for another export.
            let after = batches.position(0)?;
            self.shared.send(Request::Close { cursor: self.number });
            self.start(after, None);
        }
        self.shared.set_max_bytes(max_bytes);
        let (cursor, shared) = (self.number, &self.shared);
        let wake = || shared.send(Request::Read { cursor, max_bytes });
        self.batches.as_mut().ok_or_else(reader_has_ended)?.next(max_bytes, wake).await
    }

    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, RowsError> {
        Ok(self.batches()?.position(rows)?.encode())
    }

    async fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        let row = self.batches()?.position(row.saturating_add(1))?;
        let column = column as usize;
        let piece = Piece { cursor: self.number, row, column, offset, max_bytes };
        self.shared.ask(|reply| Request::Piece(piece, reply)).await
    }
}

impl Drop for TableCursor {
    fn drop(&mut self) {
        // SQLite interrupts all reads as long as one of them is open: an interrupted scan is not kept.
        let is_interrupted = self.shared.interruptions() != self.interruptions;
        let batches = self.batches.take().filter(|_| !is_interrupted);
        let paused = batches.and_then(|batches| {
            PausedScan::new(self.number, &self.query, batches, self.interruptions)
        });
        // Of several scans, the one that was closed last is kept.
        let closed = match paused {
            Some(paused) => {
                self.shared.send(Request::Pause { cursor: self.number });
                self.shared.pause(paused).map(|replaced| replaced.cursor)
            }
            None => Some(self.number),
        };
        if let Some(cursor) = closed {
            self.shared.send(Request::Close { cursor });
        }
    }
}
