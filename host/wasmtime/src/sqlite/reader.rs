//! The thread that owns the connection: it answers requests, and between them reads ahead.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};

use rusqlite::Connection;

use super::ahead::Front;
use super::copy::copy;
use super::cursor::Cursor;
use super::describe::describe;
use super::error::rows_error;
use super::long::Piece;
use super::parked::Parked;
use super::scan::Scan;
use crate::contract::rows::{Error as RowsError, Schema};

/// Where an answer goes.
pub(super) type Reply<T> = SyncSender<Result<T, RowsError>>;

/// What is to be scanned, and behind which position.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) table: Vec<u8>,
    pub(super) columns: Vec<Vec<u8>>,
    pub(super) after: Vec<u8>,
    /// The text and blob bytes that a batch is expected to be asked for: reading begins at once. With small tables the wait for
    /// another request took most of the time.
    pub(super) max_bytes: Option<u32>,
}

/// What the thread can be asked.
pub(super) enum Request {
    /// The schema.
    Describe(Reply<Schema>),
    /// A scan of a table; the answer is the cursor's number, and where its batches come out.
    Open(Open, Reply<(u64, Front)>),
    /// Batches are wanted of a cursor, of so many bytes of text and blobs.
    Read { cursor: u64, max_bytes: u32 },
    /// A piece of a long value.
    Piece(Piece, Reply<Vec<u8>>),
    /// A copy of the database in a new file.
    Copy { to: PathBuf, stop: Arc<AtomicBool>, reply: Reply<()> },
    /// The cursor is not needed any more. The next slice may want to go on from within its last batch.
    Close { cursor: u64, front: Option<Front> },
}

/// Answers requests until nobody is left to make any.
pub(super) fn run(connection: &Connection, requests: &Receiver<Request>) {
    let mut reader = Reader {
        connection,
        schema: None,
        cursors: HashMap::new(),
        wanted: VecDeque::new(),
        parked: None,
        last_cursor: 0,
    };
    loop {
        let request = match requests.try_recv() {
            Err(TryRecvError::Empty) if reader.read_ahead() => continue,
            Err(TryRecvError::Empty) => requests.recv().ok(),
            request => request.ok(),
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
    /// The cursors to read ahead for, in turn.
    wanted: VecDeque<u64>,
    /// The scan that was closed last.
    parked: Option<Parked<'c>>,
    /// The cursors' numbers count from 1.
    last_cursor: u64,
}

impl<'c> Reader<'c> {
    /// Answers one request. Who has gone away needs no answer.
    fn serve(&mut self, request: Request) {
        match request {
            Request::Describe(reply) => {
                let schema = self.schema().cloned();
                reply.send(schema).ok();
            }
            Request::Open(open, reply) => {
                reply.send(self.open(&open)).ok();
            }
            Request::Read { cursor, max_bytes } => {
                if let Ok(reading) = self.cursor(cursor) {
                    reading.begin(max_bytes);
                    self.want(cursor);
                }
            }
            Request::Piece(piece, reply) => {
                reply.send(self.cursor(piece.cursor).and_then(|cursor| cursor.piece(&piece))).ok();
            }
            Request::Copy { to, stop, reply } => {
                reply.send(copy(self.connection, &to, &stop).map_err(RowsError::Failed)).ok();
            }
            Request::Close { cursor, front } => {
                self.wanted.retain(|wanted| *wanted != cursor);
                let closed = self.cursors.remove(&cursor);
                self.parked =
                    closed.zip(front).and_then(|(cursor, front)| Parked::new(cursor, front));
            }
        }
    }

    fn want(&mut self, cursor: u64) {
        if !self.wanted.contains(&cursor) {
            self.wanted.push_front(cursor);
        }
    }

    /// Reads a batch ahead; false: nobody wants one.
    fn read_ahead(&mut self) -> bool {
        let Some(number) = self.wanted.pop_front() else { return false };
        let goes_on = self.cursors.get_mut(&number).is_some_and(Cursor::read_ahead);
        if goes_on {
            self.wanted.push_back(number);
        }
        true
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

    fn open(&mut self, open: &Open) -> Result<(u64, Front), RowsError> {
        let connection = self.connection;
        let scan = Scan::new(connection, self.schema()?, &open.table, &open.columns)?;
        let key = scan.key(&open.after)?;
        self.last_cursor += 1;
        let parked = self.parked.take().and_then(|parked| parked.go_on(&scan, &key));
        if parked.is_some() {
            self.want(self.last_cursor);
        }
        let (mut cursor, mut front) = parked.unwrap_or_else(|| Cursor::new(connection, scan, key));
        if let Some(max_bytes) = open.max_bytes
            && front.expect(max_bytes)
        {
            cursor.begin(max_bytes);
            self.want(self.last_cursor);
        }
        self.cursors.insert(self.last_cursor, cursor);
        Ok((self.last_cursor, front))
    }
}

fn closed() -> RowsError {
    RowsError::InvalidCell("the cursor is closed".to_owned())
}
