//! The thread that owns the connection: it answers requests, and between them reads ahead.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};

use rusqlite::Connection;

use super::batch::Keys;
use super::copy::copy;
use super::cursor::Cursor;
use super::describe::describe;
use super::error::rows_error;
use super::key::Key;
use super::long::Piece;
use super::parked::{LastBatch, Parked};
use super::scan::Scan;
use crate::contract::rows::{Batch, Error as RowsError, Schema};

/// Where an answer goes.
pub(super) type Reply<T> = SyncSender<Result<T, RowsError>>;

/// What the thread can be asked.
pub(super) enum Request {
    /// The schema.
    Describe(Reply<Schema>),
    /// A scan of a table; the answer is the cursor's number, and the key it stands behind.
    Open { table: Vec<u8>, columns: Vec<Vec<u8>>, after: Vec<u8>, reply: Reply<(u64, Key)> },
    /// The next batch of a cursor, to be kept as well if it may be its slice's last.
    Next { cursor: u64, max_bytes: u32, keeps: bool, reply: Reply<(Batch, Keys)> },
    /// A piece of a long value.
    Piece(Piece, Reply<Vec<u8>>),
    /// A copy of the database in a new file.
    Copy { to: PathBuf, stop: Arc<AtomicBool>, reply: Reply<()> },
    /// The cursor is not needed any more. The next slice may want to go on from within its last batch.
    Close { cursor: u64, last: Option<LastBatch> },
}

/// Answers requests until nobody is left to make any.
pub(super) fn run(connection: &Connection, requests: &Receiver<Request>) {
    let mut reader = Reader {
        connection,
        schema: None,
        cursors: HashMap::new(),
        parked: None,
        last_cursor: 0,
        asked: 0,
    };
    loop {
        let ahead = reader.cursors.get_mut(&reader.asked).filter(|cursor| cursor.wants_more());
        let request = match ahead {
            None => requests.recv().ok(),
            Some(cursor) => match requests.try_recv() {
                Ok(request) => Some(request),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    cursor.read_ahead();
                    continue;
                }
            },
        };
        match request {
            Some(request) => reader.serve(request),
            None => return,
        }
    }
}

struct Reader<'c> {
    connection: &'c Connection,
    schema: Option<Schema>,
    cursors: HashMap<u64, Cursor<'c>>,
    /// The scan that was closed last.
    parked: Option<Parked<'c>>,
    /// The cursors' numbers count from 1.
    last_cursor: u64,
    /// The cursor that was last asked for a batch, and so will be again.
    asked: u64,
}

impl<'c> Reader<'c> {
    /// Answers one request. Who has gone away needs no answer.
    fn serve(&mut self, request: Request) {
        match request {
            Request::Describe(reply) => {
                let schema = self.schema().cloned();
                reply.send(schema).ok();
            }
            Request::Open { table, columns, after, reply } => {
                reply.send(self.open(&table, &columns, &after)).ok();
            }
            Request::Next { cursor, max_bytes, keeps, reply } => {
                self.asked = cursor;
                let next = self.cursor(cursor).and_then(|cursor| cursor.next(max_bytes, keeps));
                reply.send(next).ok();
            }
            Request::Piece(piece, reply) => {
                reply.send(self.cursor(piece.cursor).and_then(|cursor| cursor.piece(&piece))).ok();
            }
            Request::Copy { to, stop, reply } => {
                reply.send(copy(self.connection, &to, &stop).map_err(RowsError::Failed)).ok();
            }
            Request::Close { cursor, last } => {
                let closed = self.cursors.remove(&cursor);
                self.parked = closed.zip(last).and_then(|(cursor, last)| Parked::new(cursor, last));
            }
        }
    }

    fn cursor(&mut self, number: u64) -> Result<&mut Cursor<'c>, RowsError> {
        self.cursors.get_mut(&number).ok_or_else(closed)
    }

    fn schema(&mut self) -> Result<&Schema, RowsError> {
        if self.schema.is_none() {
            let schema =
                describe(self.connection).map_err(|error| rows_error("the schema", &error))?;
            self.schema = Some(schema);
        }
        self.schema.as_ref().ok_or_else(closed)
    }

    fn open(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: &[u8],
    ) -> Result<(u64, Key), RowsError> {
        let connection = self.connection;
        let scan = Scan::new(connection, self.schema()?, table, columns)?;
        let key = scan.key(after)?;
        let parked = self.parked.take().and_then(|parked| parked.go_on(&scan, &key));
        let cursor = parked.unwrap_or_else(|| Cursor::new(connection, scan, key.clone()));
        self.last_cursor += 1;
        self.cursors.insert(self.last_cursor, cursor);
        Ok((self.last_cursor, key))
    }
}

fn closed() -> RowsError {
    RowsError::InvalidCell("the cursor is closed".to_owned())
}
