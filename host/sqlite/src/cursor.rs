//! One scan in progress: batches from a position on.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, Result};

use crate::ahead::{Back, Filled, Used};
use crate::batch::Builder;
use crate::error::rows_error;
use crate::key::Key;
use crate::long::{LongValue, Piece};
use crate::scan::{Read, Scan, ScanRows};
use partway_wasmtime::rows::Error as RowsError;

/// A scan, and where it stands.
pub(crate) struct Cursor<'c> {
    connection: &'c Connection,
    scan: Arc<Scan>,
    /// Behind this key the ranges lie.
    from: Key,
    /// Behind the last row of the last complete batch.
    last: Key,
    /// Which of them is being read, and how.
    range: usize,
    read: Read,
    rows: Option<ScanRows<'c>>,
    /// The batch in the making: of rows that did not fit into the last one, or that came before the end
    /// of a range.
    begun: Option<Builder>,
    /// Where complete batches go.
    back: Back,
    /// Batches that nobody looks at any more, of whatever scan.
    used: Rc<Receiver<Used>>,
    /// Whether the end of the table, or a failure, has gone there too.
    is_ended: bool,
    /// The text and blob bytes of a batch, the same for the whole scan.
    max_bytes: u32,
    /// The long value that was read from last.
    value: Option<(Key, usize, LongValue<'c>)>,
}

impl<'c> Cursor<'c> {
    /// A scan that begins behind a key.
    pub(crate) fn new(
        connection: &'c Connection,
        scan: Arc<Scan>,
        from: Key,
        back: Back,
        used: Rc<Receiver<Used>>,
    ) -> Self {
        Self {
            connection,
            scan,
            last: from.clone(),
            from,
            range: 0,
            read: Read::Plain,
            rows: None,
            begun: None,
            back,
            used,
            is_ended: false,
            max_bytes: 0,
            value: None,
        }
    }

    /// Batches are wanted again, of so many bytes of text and blobs.
    pub(crate) fn begin(&mut self, max_bytes: u32) {
        self.max_bytes = max_bytes;
        self.forget_value();
    }

    /// Lets go of the long value that was read from last, which may be held in memory.
    pub(crate) fn forget_value(&mut self) {
        self.value = None;
    }

    /// What is read and not handed over yet.
    pub(crate) fn back(&mut self) -> &mut Back {
        &mut self.back
    }

    /// Reads one more batch, and says whether to read on.
    pub(crate) fn read_ahead(&mut self) -> bool {
        if self.is_ended || !self.back.wants_more() {
            return false;
        }
        let end = match self.fill() {
            Ok(false) => return true,
            Ok(true) => Ok(Filled::nothing()),
            Err(error) => Err(rows_error(&self.scan.shown, &error)),
        };
        // What came before a failure comes out, wherever the scan began: the same rows each time.
        if let Some(rest) = self.begun.take().filter(|rest| rest.rows() > 0) {
            self.back.put(Ok(filled(rest)));
        }
        self.back.put(end);
        self.is_ended = true;
        self.rows = None;
        false
    }

    /// Reads rows until a batch is complete, or the table is at its end: then true.
    fn fill(&mut self) -> Result<bool> {
        let begun = self.begun.take();
        let mut builder = begun
            .unwrap_or_else(|| Builder::new(&self.scan, &self.last, self.used.try_recv().ok()));
        loop {
            if builder.is_full(self.max_bytes) {
                self.push(builder);
                return Ok(false);
            }
            let mut rows = match self.take_rows() {
                Ok(rows) => rows,
                Err(error) => {
                    self.begun = Some(builder);
                    return Err(error);
                }
            };
            let next = loop {
                match rows.step() {
                    Ok(true) => {
                        let next = builder.append(&self.scan, &rows, self.max_bytes, || {
                            self.used.try_recv().ok()
                        });
                        if next.is_some() || builder.is_full(self.max_bytes) {
                            break Ok(next);
                        }
                    }
                    Ok(false) => break Err(None),
                    Err(error) => break Err(Some(error)),
                }
            };
            match next {
                Ok(next) => {
                    self.rows = Some(rows);
                    self.push(builder);
                    self.begun = next;
                    return Ok(false);
                }
                Err(None) if self.read == Read::Guarded => {
                    self.read = Read::Plain;
                    // Its one row has come, or it lies in a further range.
                    if !self.go_behind(&builder) {
                        self.range += 1;
                    }
                }
                Err(None) => self.range += 1,
                Err(Some(error))
                    if self.read == Read::Plain
                        && error.sqlite_error_code() == Some(ErrorCode::TooBig) =>
                {
                    self.go_behind(&builder);
                    self.read = Read::Guarded;
                }
                Err(Some(error)) => {
                    self.begun = Some(builder);
                    return Err(error);
                }
            }
            if self.range >= self.scan.ranges(&self.from) {
                self.begun = Some(builder);
                return Ok(true);
            }
        }
    }

    /// The rows of the range being read.
    fn take_rows(&mut self) -> Result<ScanRows<'c>> {
        // Past this length SQLite refuses a value instead of loading it. The guarded query does not load it
        // anyway, but may have to measure it; and the key, a parameter, may be longer.
        let limit = |length| self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, length);
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => {
                limit(i32::MAX)?;
                let (range, read) = (self.range, self.read);
                self.scan.rows(self.connection, &self.from, range, read, self.max_bytes)?
            }
        };
        limit(if self.read == Read::Plain { self.max_bytes as i32 } else { i32::MAX })?;
        Ok(rows)
    }

    /// Begins anew behind the last row, if there is one behind `from`.
    fn go_behind(&mut self, builder: &Builder) -> bool {
        let last = builder.last_key().unwrap_or_else(|| self.last.clone());
        let moved = last != self.from;
        if moved {
            self.from = last;
            self.range = 0;
        }
        moved
    }

    fn push(&mut self, builder: Builder) {
        if let Some(last) = builder.last_key() {
            self.last = last;
        }
        self.back.put(Ok(filled(builder)));
    }

    /// Bytes of a long value.
    pub(crate) fn piece(&mut self, piece: &Piece) -> std::result::Result<Vec<u8>, RowsError> {
        if piece.column >= self.scan.columns.len() {
            let column = piece.column;
            return Err(RowsError::InvalidCell(format!(
                "{} has no column {column}",
                self.scan.shown
            )));
        }
        let is_same = |(key, column, _): &(Key, usize, LongValue<'c>)| {
            (key, *column) == (&piece.key, piece.column)
        };
        // Another value is let go of before this one is opened.
        let opened = match self.value.take().filter(is_same) {
            Some((.., value)) => Ok(value),
            None => LongValue::open(self.connection, &self.scan, &piece.key, piece.column),
        };
        let read = opened.and_then(|value| {
            let bytes = value.read(piece.offset, piece.max_bytes)?;
            self.value = Some((piece.key.clone(), piece.column, value));
            Ok(bytes)
        });
        read.map_err(|error| rows_error(&self.scan.shown, &error))
    }
}

fn filled(builder: Builder) -> Filled {
    let (batch, keys) = builder.finish();
    Filled { batch: Arc::new(batch), keys }
}
