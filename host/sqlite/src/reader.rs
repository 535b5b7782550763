//! The thread that owns the connection: it answers requests, and between them reads ahead.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, sync_channel};

use rusqlite::Connection;

use crate::ahead::{Back, Used, gone};
use crate::catalog::Catalog;
use crate::copy::copy;
use crate::cursor::Cursor;
use crate::describe::last_rowid;
use crate::key::Key;
use crate::long::Piece;
use crate::scan::Scan;
use partway_wasmtime::rows::Error as RowsError;

/// About so many bytes of small batches are held before they are handed over, and who waits for them is woken. Waking a
/// thread takes as long as reading some kilobytes.
const MOST_HELD: usize = 128 * 1024;

/// Where an answer goes.
pub(crate) type Reply<T> = SyncSender<Result<T, RowsError>>;

/// What is to be scanned, and behind which place.
pub(crate) struct Open {
    /// The cursor's number from now on.
    pub(crate) cursor: u64,
    pub(crate) scan: Arc<Scan>,
    pub(crate) after: Key,
    /// Where its batches come out.
    pub(crate) back: Back,
    /// The text and blob bytes that a batch is expected to be asked for: reading begins before anybody asks.
    pub(crate) max_bytes: Option<u32>,
}

/// What the thread can be asked.
pub(crate) enum Request {
    /// The schema.
    Describe(Reply<Arc<Catalog>>),
    /// About how many rows there are in these tables, each with the name of its rowid.
    Estimate(Vec<(Vec<u8>, Vec<u8>)>, Reply<u64>),
    /// A scan of a table.
    Open(Open),
    /// Batches are wanted of a cursor, of so many bytes of text and blobs.
    Read { cursor: u64, max_bytes: u32 },
    /// A piece of a long value.
    Piece(Piece, Reply<Vec<u8>>),
    /// A copy of the database in a new file. `wal`: whether a part of it may be in a log.
    Copy { to: PathBuf, wal: bool, stop: Arc<AtomicBool>, reply: Reply<()> },
    /// The cursor is not needed for the time being.
    Rest { cursor: u64 },
    /// The cursor is not needed any more.
    Close { cursor: u64 },
}

/// Asks the thread, and waits for its answer.
pub(crate) fn ask<T>(
    requests: &Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<T, RowsError> {
    let (reply, answer) = sync_channel(1);
    requests.send(request(reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// Answers requests until nobody is left to make any. Batches that are done with come back by `used`.
pub(crate) fn run(connection: &Connection, requests: &Receiver<Request>, used: Receiver<Used>) {
    let mut reader = Reader {
        connection,
        cursors: HashMap::new(),
        wanted: VecDeque::new(),
        holding: Vec::new(),
        used: Rc::new(used),
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
    cursors: HashMap<u64, Cursor<'c>>,
    /// The cursors to read ahead for, the first of them first.
    wanted: VecDeque<u64>,
    /// Those that hold batches which are not handed over yet.
    holding: Vec<u64>,
    used: Rc<Receiver<Used>>,
}

impl<'c> Reader<'c> {
    /// Answers one request. Who has gone away needs no answer.
    fn serve(&mut self, request: Request) {
        match request {
            Request::Describe(reply) => {
                reply.send(Catalog::read(self.connection).map(Arc::new)).ok();
            }
            Request::Estimate(tables, reply) => {
                let rows = tables
                    .iter()
                    .filter_map(|(table, rowid)| last_rowid(self.connection, table, rowid));
                reply.send(Ok(rows.fold(0, u64::saturating_add))).ok();
            }
            Request::Open(open) => self.open(open),
            Request::Read { cursor, max_bytes } => {
                if let Ok(reading) = self.cursor(cursor) {
                    reading.begin(max_bytes);
                    self.wanted.retain(|wanted| *wanted != cursor);
                    self.wanted.push_front(cursor);
                }
            }
            Request::Piece(piece, reply) => {
                reply.send(self.cursor(piece.cursor).and_then(|cursor| cursor.piece(&piece))).ok();
            }
            Request::Copy { to, wal, stop, reply } => {
                self.hand_over();
                reply.send(copy(self.connection, &to, wal, &stop).map_err(RowsError::Failed)).ok();
            }
            Request::Rest { cursor } => {
                self.wanted.retain(|wanted| *wanted != cursor);
                if let Ok(resting) = self.cursor(cursor) {
                    resting.forget_value();
                }
            }
            Request::Close { cursor } => {
                self.wanted.retain(|wanted| *wanted != cursor);
                self.cursors.remove(&cursor);
            }
        }
    }

    fn open(&mut self, Open { cursor, scan, after, back, max_bytes }: Open) {
        let mut opened = Cursor::new(self.connection, scan, after, back, self.used.clone());
        if let Some(max_bytes) = max_bytes {
            opened.begin(max_bytes);
            self.wanted.push_back(cursor);
        }
        self.cursors.insert(cursor, opened);
    }

    /// Reads a batch ahead; false: nobody wants one.
    fn read_ahead(&mut self) -> bool {
        let Some(number) = self.wanted.front().copied() else {
            self.hand_over();
            return false;
        };
        if !self.cursors.get_mut(&number).is_some_and(Cursor::read_ahead) {
            self.wanted.pop_front();
        }
        if !self.holding.contains(&number) {
            self.holding.push(number);
        }
        let held =
            |number| self.cursors.get_mut(number).map_or(0, |cursor| cursor.back().held_bytes());
        if self.holding.iter().map(held).sum::<usize>() >= MOST_HELD {
            self.hand_over();
            // In turn, or one that is used up as fast as it is read would keep the others waiting.
            if self.wanted.len() > 1 {
                self.wanted.rotate_left(1);
            }
        }
        true
    }

    fn hand_over(&mut self) {
        for number in self.holding.drain(..) {
            if let Some(cursor) = self.cursors.get_mut(&number) {
                cursor.back().hand_over();
            }
        }
    }

    fn cursor(&mut self, number: u64) -> Result<&mut Cursor<'c>, RowsError> {
        let closed = || RowsError::InvalidCell("the cursor is closed".to_owned());
        self.cursors.get_mut(&number).ok_or_else(closed)
    }
}
