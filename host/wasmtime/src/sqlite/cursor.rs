//! One scan in progress: batches from a position on, some of them read ahead.

use std::collections::VecDeque;

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, Result};

use super::batch::{Builder, Keys, tail};
use super::error::rows_error;
use super::key::Key;
use super::long::{LongValue, Piece};
use super::scan::{Read, Scan, ScanRows};
use crate::contract::rows::{Batch, Error as RowsError};

/// Batches that wait to be asked for. Two even out what reading and formatting take from batch to batch.
const AHEAD: usize = 2;

/// A scan, and where it stands.
pub(super) struct Cursor<'c> {
    connection: &'c Connection,
    scan: Scan,
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
    /// The batches that were read ahead.
    ready: VecDeque<(Batch, Keys)>,
    /// How the scan ended behind those; the end of the table, or a failure, which stays.
    ended: Option<std::result::Result<(), RowsError>>,
    /// The text and blob bytes of a batch, the same for the whole scan.
    max_bytes: u32,
    /// The batch that was handed out last, where it may be its slice's last.
    kept: Option<Batch>,
    /// Batches handed out in this slice, and in the one before: about as many are to be expected.
    handed_out: u32,
    expected: u32,
    /// The rows of a batch, where less than fits is wanted.
    most_rows: u32,
    /// The long value that was read from last.
    value: Option<(Key, usize, LongValue<'c>)>,
}

impl<'c> Cursor<'c> {
    /// A scan that begins behind a key.
    pub(super) fn new(connection: &'c Connection, scan: Scan, from: Key) -> Self {
        Self {
            connection,
            scan,
            last: from.clone(),
            from,
            range: 0,
            read: Read::Plain,
            rows: None,
            begun: None,
            ready: VecDeque::new(),
            ended: None,
            max_bytes: 0,
            most_rows: u32::MAX,
            kept: None,
            handed_out: 0,
            expected: 0,
            value: None,
        }
    }

    /// The next batch and the keys of its rows. All calls ask for the same bytes; but one who goes on with a scan may
    /// get more at first than it asked for, by what was read for the one before.
    pub(super) fn next(
        &mut self,
        max_bytes: u32,
        keeps: bool,
    ) -> std::result::Result<(Batch, Keys), RowsError> {
        self.value = None;
        self.max_bytes = max_bytes;
        if self.ready.is_empty() {
            self.read_ahead();
        }
        match (self.ready.pop_front(), &self.ended) {
            (Some((batch, keys)), _) => {
                self.handed_out += 1;
                // To keep one costs a copy.
                let is_near_end = self.handed_out + 1 >= self.expected;
                self.kept = (keeps && is_near_end).then(|| batch.clone());
                Ok((batch, keys))
            }
            (None, Some(Err(error))) => Err(error.clone()),
            (None, _) => Ok(Builder::new(&self.scan.key, &self.last, 0).finish()),
        }
    }

    /// Whether there is use in reading a further batch before it is asked for.
    pub(super) fn wants_more(&self) -> bool {
        self.ended.is_none() && self.ready.len() < AHEAD
    }

    /// Reads one more batch.
    pub(super) fn read_ahead(&mut self) {
        if self.ended.is_some() {
            return;
        }
        match self.fill() {
            Ok(false) => return,
            Ok(true) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(rows_error(&self.scan.shown, &error))),
        }
        // What came before a failure comes out, wherever the scan began: the same rows each time.
        self.ready.extend(self.begun.take().filter(|rest| rest.rows() > 0).map(Builder::finish));
        self.rows = None;
    }

    /// Reads rows until a batch is complete, or the table is at its end: then true.
    fn fill(&mut self) -> Result<bool> {
        let builder = self.begun.take();
        let mut builder =
            builder.unwrap_or_else(|| Builder::new(&self.scan.key, &self.last, self.max_bytes));
        loop {
            if builder.is_full(self.max_bytes, self.most_rows) {
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
                        let next = builder.append(&self.scan, &rows, self.max_bytes);
                        if next.is_some() || builder.is_full(self.max_bytes, self.most_rows) {
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
        self.ready.push_back(builder.finish());
    }

    /// Whether it can be gone on with: it has not failed.
    pub(super) fn is_well(&self) -> bool {
        !matches!(self.ended, Some(Err(_)))
    }

    /// A further slice begins.
    pub(super) fn begin_slice(&mut self) {
        self.expected = std::mem::take(&mut self.handed_out);
    }

    /// Whether it reads what another scan does.
    pub(super) fn scans_same(&self, scan: &Scan) -> bool {
        self.scan.name == scan.name && self.scan.columns == scan.columns
    }

    /// Hands out next what a slice has left over of the batch that was handed out last: its last `rows` rows, which lie
    /// behind `key`. False where that can't be.
    pub(super) fn hand_out_again(&mut self, scan: &Scan, key: &Key, keys: Keys, rows: u32) -> bool {
        let again = match self.kept.take() {
            Some(batch) => {
                let used = batch.rows.saturating_sub(rows);
                Some(tail(batch, keys, used, self.scan.columns.len()))
            }
            None => {
                let mut again = Cursor::new(self.connection, scan.clone(), key.clone());
                again.max_bytes = self.max_bytes;
                again.most_rows = rows;
                again.read_ahead();
                again.ready.pop_front()
            }
        };
        match again {
            Some((batch, keys)) if batch.rows == rows => {
                self.ready.push_front((batch, keys));
                true
            }
            _ => false,
        }
    }

    /// Bytes of a long value.
    pub(super) fn piece(&mut self, piece: &Piece) -> std::result::Result<Vec<u8>, RowsError> {
        if piece.column >= self.scan.columns.len() {
            let column = piece.column;
            return Err(RowsError::InvalidCell(format!(
                "{} has no column {column}",
                self.scan.shown
            )));
        }
        let opened = match self.value.take() {
            Some((key, column, value)) if (&key, column) == (&piece.key, piece.column) => Ok(value),
            _ => LongValue::open(self.connection, &self.scan, &piece.key, piece.column),
        };
        let read = opened.and_then(|value| {
            let bytes = value.read(piece.offset, piece.max_bytes)?;
            self.value = Some((piece.key.clone(), piece.column, value));
            Ok(bytes)
        });
        read.map_err(|error| rows_error(&self.scan.shown, &error))
    }
}
