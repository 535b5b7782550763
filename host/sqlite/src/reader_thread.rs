//! The thread that owns the connection: it answers requests, and between them reads ahead.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::catalog::Catalog;
use crate::connection::check_transaction;
use crate::copy::copy;
use crate::database::Database;
use crate::estimate::expected;
use crate::filter::Filters;
use crate::keyed_batch::SpareBatch;
use crate::page_reader::PageReader;
use crate::request::{OpenScan, Request};
use crate::row_limit::RowLimit;
use crate::scan::Scan;
use crate::table_reader::TableReader;
use partway_wasmtime::rows::Error as RowsError;

/// Small batches are kept back until they come to about so many bytes; then they are sent, and a cursor that
/// waits for them is woken. Waking a thread takes as long as reading some kilobytes.
const FLUSH_BYTES: usize = 128 * 1024;

/// How often `watch` is called.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// Answers requests until nobody is left to make any. The memory of batches that are used up comes back by
/// `spare`. `watch` is called now and then, whether there are requests or not.
pub(crate) fn run(
    database: &Database,
    requests: &Receiver<Request>,
    spare: Receiver<SpareBatch>,
    is_lost: Arc<AtomicBool>,
    row_limit: RowLimit,
    mut watch: Option<&mut dyn FnMut()>,
) {
    let mut thread = ReaderThread {
        database,
        is_lost,
        catalog: None,
        cursors: HashMap::new(),
        wanted: VecDeque::new(),
        unsent: Vec::new(),
        spare: Rc::new(spare),
        row_limit: Rc::new(row_limit),
    };
    let mut watched = Instant::now();
    loop {
        if let Some(watch) = &mut watch
            && watched.elapsed() >= WATCH_INTERVAL
        {
            watch();
            watched = Instant::now();
        }
        let request = match requests.try_recv() {
            Err(TryRecvError::Empty) if thread.read_ahead() => continue,
            Err(TryRecvError::Empty) if watch.is_some() => {
                match requests.recv_timeout(WATCH_INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => continue,
                    request => request.ok(),
                }
            }
            Err(TryRecvError::Empty) => requests.recv().ok(),
            request => request.ok(),
        };
        match request {
            Some(request) => thread.serve(request),
            None => return,
        }
    }
}

struct ReaderThread<'c> {
    database: &'c Database,
    /// Set once the state that the snapshot holds is gone.
    is_lost: Arc<AtomicBool>,
    /// Read when it is first asked for.
    catalog: Option<Arc<Catalog>>,
    /// The open scans, by their cursors' numbers.
    cursors: HashMap<u64, Scan<'c>>,
    /// The cursors to read ahead for, the next one first.
    wanted: VecDeque<u64>,
    /// Those that have batches which are not sent yet.
    unsent: Vec<u64>,
    spare: Rc<Receiver<SpareBatch>>,
    row_limit: Rc<RowLimit>,
}

impl<'c> ReaderThread<'c> {
    /// Serves one request. A caller that is gone needs no answer.
    fn serve(&mut self, request: Request) {
        match request {
            Request::Describe(reply) => {
                reply.send(self.catalog()).ok();
            }
            Request::Estimate { tables, wal, bytes, reply } => {
                let estimate = self
                    .catalog()
                    .map(|catalog| expected(self.database, &catalog, &tables, wal, bytes));
                reply.send(estimate).ok();
            }
            Request::Filters(conditions, reply) => {
                let checked = self
                    .catalog()
                    .map(|catalog| Filters::check(self.database, &catalog, &conditions));
                reply.send(checked).ok();
            }
            Request::Open(open) => self.open(open),
            Request::Read { cursor, max_bytes } => {
                if let Ok(reader) = self.cursor(cursor) {
                    reader.start(max_bytes);
                    self.wanted.retain(|wanted| *wanted != cursor);
                    self.wanted.push_front(cursor);
                }
            }
            Request::Piece(piece, reply) => {
                let read = check_transaction(self.database);
                let read = read.and_then(|()| self.cursor(piece.cursor)?.read_piece(&piece));
                self.note_lost_state();
                reply.send(read).ok();
            }
            Request::Copy { to, wal, stop, reply } => {
                self.flush();
                let copied = copy(self.database, &to, wal, &stop);
                reply.send(copied.map_err(|error| RowsError::Failed(error.to_string()))).ok();
            }
            Request::Pause { cursor } => {
                self.wanted.retain(|wanted| *wanted != cursor);
                if let Ok(reader) = self.cursor(cursor) {
                    reader.close_long_value();
                }
            }
            Request::Close { cursor } => {
                self.wanted.retain(|wanted| *wanted != cursor);
                self.cursors.remove(&cursor);
            }
        }
    }

    /// Before a failure is sent: whoever receives it may ask at once whether the state is lost.
    fn note_lost_state(&self) {
        if self.database.is_lost() {
            self.is_lost.store(true, Ordering::SeqCst);
        }
    }

    /// The schema, which is read once, however many ask for it at a time.
    fn catalog(&mut self) -> Result<Arc<Catalog>, RowsError> {
        if let Some(catalog) = &self.catalog {
            return Ok(catalog.clone());
        }
        check_transaction(self.database)?;
        let catalog = Arc::new(Catalog::read(self.database)?);
        Ok(self.catalog.insert(catalog).clone())
    }

    fn open(&mut self, OpenScan { cursor, query, after, batches, max_bytes }: OpenScan) {
        let spare = self.spare.clone();
        let limit = self.row_limit.clone();
        let database = self.database;
        let mut reader = match query.pages {
            Some(access) => {
                Scan::Pages(PageReader::new(database, query, access, &after, batches, spare))
            }
            None => {
                let reader = TableReader::new(database, query, after, batches, spare, limit);
                Scan::Table(Box::new(reader))
            }
        };
        if let Some(max_bytes) = max_bytes {
            reader.start(max_bytes);
            self.wanted.push_back(cursor);
        }
        self.cursors.insert(cursor, reader);
    }

    /// Reads a batch ahead; false: no cursor wants one.
    fn read_ahead(&mut self) -> bool {
        let Some(number) = self.wanted.front().copied() else {
            self.flush();
            return false;
        };
        if !self.cursors.get_mut(&number).is_some_and(Scan::read_batch) {
            self.wanted.pop_front();
        }
        if !self.unsent.contains(&number) {
            self.unsent.push(number);
        }
        let bytes = |number| {
            self.cursors.get_mut(number).map_or(0, |reader| reader.batches().unsent_bytes())
        };
        if self.unsent.iter().map(bytes).sum::<usize>() >= FLUSH_BYTES {
            self.flush();
            // In turn, or one that is used up as fast as it is read would keep the others waiting.
            if self.wanted.len() > 1 {
                self.wanted.rotate_left(1);
            }
        }
        true
    }

    fn flush(&mut self) {
        self.note_lost_state();
        for number in self.unsent.drain(..) {
            if let Some(reader) = self.cursors.get_mut(&number) {
                reader.batches().flush();
            }
        }
    }

    fn cursor(&mut self, number: u64) -> Result<&mut Scan<'c>, RowsError> {
        let closed = || RowsError::InvalidCell("the cursor is closed".to_owned());
        self.cursors.get_mut(&number).ok_or_else(closed)
    }
}
