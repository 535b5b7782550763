//! The thread that owns the connection: it answers requests, and reads some batches ahead of them.
//!
//! A statement and its rows live on this thread's stack for as long as the same cursor is asked; when
//! another is, the scan is left and found again by its key.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, Rows, params_from_iter};

use super::batch::{Builder, Keys};
use super::describe::describe;
use super::error::rows_error;
use super::key::Key;
use super::long::{Piece, serve_pieces};
use super::scan::{Read, Scan};
use crate::contract::rows::{Batch, Error as RowsError, Schema};

/// Batches that wait to be asked for. Two even out what reading and formatting take from batch to batch.
const AHEAD: usize = 2;

/// Where an answer goes.
pub(super) type Reply<T> = SyncSender<Result<T, RowsError>>;

/// What the thread can be asked.
pub(super) enum Request {
    /// The schema.
    Describe(Reply<Schema>),
    /// A scan of a table; the answer is the cursor's number, and the key it stands behind.
    Open { table: Vec<u8>, columns: Vec<Vec<u8>>, after: Vec<u8>, reply: Reply<(u64, Key)> },
    /// The next batch of a cursor.
    Next { cursor: u64, max_bytes: u32, reply: Reply<(Batch, Keys)> },
    /// A piece of a long value.
    Piece(Piece, Reply<Vec<u8>>),
    /// The cursor is not needed any more.
    Close { cursor: u64 },
}

/// Answers requests until nobody is left to make any.
pub(super) fn run(connection: &Connection, requests: &Receiver<Request>) {
    let mut reader =
        Reader { connection, requests, schema: None, cursors: HashMap::new(), last_cursor: 0 };
    let mut request = requests.recv().ok();
    while let Some(current) = request {
        request = reader.serve(current);
    }
}

struct Reader<'a> {
    connection: &'a Connection,
    requests: &'a Receiver<Request>,
    schema: Option<Schema>,
    cursors: HashMap<u64, Cursor>,
    last_cursor: u64,
}

/// A scan in progress.
struct Cursor {
    scan: Scan,
    /// Behind the last row that was read.
    key: Key,
    /// Which of the ranges behind the key is being read.
    range: usize,
    /// The rows of the batch in the making: those that did not fit into the last one.
    begun: Option<Builder>,
    /// The batches that were read ahead. A failure is the last of them, and stays.
    ready: VecDeque<Result<(Batch, Keys), RowsError>>,
    /// No row is left beyond those in `begun` and `ready`.
    ended: bool,
}

/// Why filling a batch ended.
enum Filled {
    /// The batch is complete.
    Batch,
    /// The statement has no more rows.
    RangeEnd,
    /// The next row holds a long value.
    LongRow,
}

impl Reader<'_> {
    /// Answers one request, and those that belong to it; gives back the one after.
    fn serve(&mut self, request: Request) -> Option<Request> {
        match request {
            Request::Describe(reply) => {
                let schema = self.schema().cloned();
                reply.send(schema).ok();
            }
            Request::Open { table, columns, after, reply } => {
                reply.send(self.open(&table, &columns, &after)).ok();
            }
            Request::Next { cursor, max_bytes, reply } => {
                return match self.cursors.get_mut(&cursor) {
                    Some(state) => {
                        let scanning = Scanning {
                            connection: self.connection,
                            requests: self.requests,
                            number: cursor,
                            max_bytes,
                        };
                        scanning.serve(state, reply)
                    }
                    None => {
                        reply.send(Err(closed())).ok();
                        self.requests.recv().ok()
                    }
                };
            }
            Request::Piece(piece, reply) => match self.cursors.get(&piece.cursor) {
                Some(state) => {
                    let next = || self.requests.recv().ok();
                    return serve_pieces(self.connection, &state.scan, piece, &reply, next);
                }
                None => {
                    reply.send(Err(closed())).ok();
                }
            },
            Request::Close { cursor } => {
                self.cursors.remove(&cursor);
            }
        }
        self.requests.recv().ok()
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
        self.last_cursor += 1;
        let cursor = Cursor {
            scan,
            key: key.clone(),
            range: 0,
            begun: None,
            ready: VecDeque::new(),
            ended: false,
        };
        self.cursors.insert(self.last_cursor, cursor);
        Ok((self.last_cursor, key))
    }
}

fn closed() -> RowsError {
    RowsError::InvalidCell("the cursor is closed".to_owned())
}

/// The reading of one cursor, for as long as it alone is asked.
struct Scanning<'a> {
    connection: &'a Connection,
    requests: &'a Receiver<Request>,
    number: u64,
    max_bytes: u32,
}

impl Scanning<'_> {
    fn serve(&self, cursor: &mut Cursor, reply: Reply<(Batch, Keys)>) -> Option<Request> {
        let mut wanted = Some(reply);
        let mut long_row = false;
        // Another cursor may have come between: find the place again.
        cursor.range = 0;
        loop {
            if cursor.ready.len() >= AHEAD || cursor.ended {
                if let Some(request) = self.wait(cursor, &mut wanted)? {
                    return Some(request);
                }
                continue;
            }
            let read = if long_row { Read::Guarded } else { cursor.scan.usual_read() };
            // Past this length SQLite refuses a value instead of loading it. The guarded query does
            // not load it anyway, but may have to measure or cast it.
            let limit = if read == Read::Plain { self.max_bytes as i32 } else { i32::MAX };
            let key = cursor.key.clone();
            let (sql, parameters) =
                cursor.scan.query(&key, cursor.range, read, self.max_bytes, long_row);
            // The key, a parameter, may be longer than the limit.
            let filled = self
                .connection
                .set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)
                .and_then(|_| self.connection.prepare_cached(&sql))
                .and_then(|mut statement| {
                    let mut rows = statement.query(params_from_iter(parameters))?;
                    self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, limit)?;
                    self.read_on(cursor, &mut rows, read, &mut wanted)
                });
            match filled {
                Ok(Step::Request(request)) => return request,
                Ok(Step::LongRow) => {
                    // A range is behind the key it began with, and rows have come since.
                    if cursor.key != key {
                        cursor.range = 0;
                    }
                    long_row = true;
                }
                Ok(Step::RangeEnd) => {
                    if !std::mem::take(&mut long_row) || cursor.key == key {
                        cursor.range += 1;
                        cursor.ended = cursor.range >= cursor.scan.ranges(&key);
                    } else {
                        // The one row that was asked for has come: the usual query goes on behind it.
                        cursor.range = 0;
                    }
                }
                Err(error) => {
                    cursor.ready.push_back(Err(rows_error(&cursor.scan.shown, &error)));
                    cursor.ended = true;
                }
            }
        }
    }

    /// Reads batches from one statement and hands them out as they are asked for.
    fn read_on(
        &self,
        cursor: &mut Cursor,
        rows: &mut Rows<'_>,
        read: Read,
        wanted: &mut Option<Reply<(Batch, Keys)>>,
    ) -> rusqlite::Result<Step> {
        loop {
            match self.fill(cursor, rows, read)? {
                Filled::LongRow => return Ok(Step::LongRow),
                Filled::RangeEnd => return Ok(Step::RangeEnd),
                Filled::Batch => loop {
                    match self.wait(cursor, wanted) {
                        None => return Ok(Step::Request(None)),
                        Some(Some(request)) => return Ok(Step::Request(Some(request))),
                        Some(None) if cursor.ready.len() < AHEAD => break,
                        Some(None) => {}
                    }
                },
            }
        }
    }

    /// Hands out what is ready, if it is wanted, and serves requests until there is something to read.
    /// Gives back a request that is for somebody else; nothing at all when no one is left.
    fn wait(
        &self,
        cursor: &mut Cursor,
        wanted: &mut Option<Reply<(Batch, Keys)>>,
    ) -> Option<Option<Request>> {
        self.hand_out(cursor, wanted);
        // With too little ready, read on unless somebody asks for something.
        let idle = cursor.ready.len() >= AHEAD || cursor.ended;
        let mut request = if idle {
            self.requests.recv().ok()?
        } else {
            match self.requests.try_recv() {
                Ok(request) => request,
                Err(TryRecvError::Empty) => return Some(None),
                Err(TryRecvError::Disconnected) => return None,
            }
        };
        while let Request::Piece(piece, reply) = request {
            if piece.cursor != self.number {
                return Some(Some(Request::Piece(piece, reply)));
            }
            let next = || self.requests.recv().ok();
            request = serve_pieces(self.connection, &cursor.scan, piece, &reply, next)?;
        }
        match request {
            Request::Next { cursor, reply, .. } if cursor == self.number => {
                *wanted = Some(reply);
                Some(None)
            }
            other => Some(Some(other)),
        }
    }

    /// Answers with the next batch, if one is wanted and there is one.
    fn hand_out(&self, cursor: &mut Cursor, wanted: &mut Option<Reply<(Batch, Keys)>>) {
        let batch = match cursor.ready.pop_front() {
            Some(Err(error)) => {
                // Behind a failure there is no end of the table.
                cursor.ready.push_front(Err(error.clone()));
                Err(error)
            }
            Some(batch) if wanted.is_some() => batch,
            Some(batch) => return cursor.ready.push_front(batch),
            None if cursor.ended && wanted.is_some() => Ok(last_batch(cursor)),
            None => return,
        };
        if let Some(reply) = wanted.take() {
            reply.send(batch).ok();
        }
    }

    /// Reads rows into the batch in the making until it is complete.
    fn fill(
        &self,
        cursor: &mut Cursor,
        rows: &mut Rows<'_>,
        read: Read,
    ) -> rusqlite::Result<Filled> {
        let mut builder = match cursor.begun.take() {
            Some(builder) => builder,
            None => Builder::new(&cursor.scan.key, &cursor.key, self.max_bytes),
        };
        let mut next = None;
        let filled = loop {
            if next.is_some() || builder.is_full(self.max_bytes) {
                break Ok(Filled::Batch);
            }
            match rows.next() {
                Ok(Some(row)) => next = builder.append(&cursor.scan, read, row, self.max_bytes)?,
                Ok(None) => break Ok(Filled::RangeEnd),
                Err(error)
                    if read == Read::Plain
                        && error.sqlite_error_code() == Some(ErrorCode::TooBig) =>
                {
                    break Ok(Filled::LongRow);
                }
                Err(error) => break Err(error),
            }
        };
        let last = next.as_ref().unwrap_or(&builder).last_key();
        cursor.key = last.unwrap_or_else(|| cursor.key.clone());
        if matches!(filled, Ok(Filled::Batch)) {
            cursor.ready.push_back(Ok(builder.finish()));
            cursor.begun = next;
        } else {
            cursor.begun = Some(builder);
        }
        filled
    }
}

/// What is left at the end of the table: perhaps nothing.
fn last_batch(cursor: &mut Cursor) -> (Batch, Keys) {
    let begun = cursor.begun.take();
    begun.unwrap_or_else(|| Builder::new(&cursor.scan.key, &cursor.key, 0)).finish()
}

/// Why the reading of one statement ended.
enum Step {
    /// A request for somebody else, or nobody is left.
    Request(Option<Request>),
    /// The next row must be read with care.
    LongRow,
    /// The statement has no more rows.
    RangeEnd,
}
