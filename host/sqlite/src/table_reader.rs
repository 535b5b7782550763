//! Reads one table on the thread that owns the connection: rows in the key's order, batch by batch, into the
//! queue.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::limits::Limit;
use rusqlite::{Error, ErrorCode, Result};

use crate::batch_builder::BatchBuilder;
use crate::batch_queue::{BatchSender, Reading};
use crate::connection::check_transaction;
use crate::damage::first_readable;
use crate::database::Database;
use crate::error::{is_damage, rows_error};
use crate::key_order::ranges;
use crate::keyed_batch::SpareBatch;
use crate::long_value::{LongValue, Piece};
use crate::position::Position;
use crate::query_rows::QueryRows;
use crate::row_limit::RowLimit;
use crate::table_query::{Selection, TableQuery};
use partway_wasmtime::rows::Error as RowsError;

/// A scan of a table, and where it stands.
pub(crate) struct TableReader<'c> {
    database: &'c Database,
    query: Arc<TableQuery>,
    /// The ranges that are read come after this position.
    after: Position,
    /// Which of them is being read, and how.
    range: usize,
    selection: Selection,
    rows: Option<QueryRows<'c>>,
    /// After the last row of the last complete batch.
    last: Position,
    /// An incomplete batch: of a row that did not fit into the last one, or of rows before the end of a
    /// range.
    partial: Option<BatchBuilder>,
    /// Where complete batches go.
    batches: BatchSender,
    /// The memory of batches that are used up, of whatever scan.
    spare: Rc<Receiver<SpareBatch>>,
    /// Whether the end of the table, or a failure, is in the queue.
    has_ended: bool,
    /// The text and blob bytes of a batch, the same for the whole scan.
    max_bytes: u32,
    /// The bound on rows that can't be read in pieces.
    row_limit: Rc<RowLimit>,
    /// The long value that was last read from: its row, its column, and the open value.
    long_value: Option<(Position, usize, LongValue<'c>)>,
}

/// Why rows are no longer appended to a batch.
enum Stop {
    /// It is complete.
    BatchIsFull,
    /// The range has no more rows.
    RangeHasEnded,
    /// The next row has a value that the plain query does not load.
    ValueIsTooLong,
}

/// What reading a batch comes to.
enum Filled {
    /// It is complete.
    Batch,
    /// The table has no more rows.
    End,
    /// The table has a row that can't be loaded.
    RowIsTooLong(RowsError),
}

impl<'c> TableReader<'c> {
    /// A scan of the rows after a position.
    pub(crate) fn new(
        database: &'c Database,
        query: Arc<TableQuery>,
        after: Position,
        batches: BatchSender,
        spare: Rc<Receiver<SpareBatch>>,
        row_limit: Rc<RowLimit>,
    ) -> Self {
        Self {
            database,
            query,
            last: after.clone(),
            after,
            range: 0,
            selection: Selection::Plain,
            rows: None,
            partial: None,
            batches,
            spare,
            has_ended: false,
            max_bytes: 0,
            row_limit,
            long_value: None,
        }
    }

    /// From now on batches are wanted, of so many bytes of text and blobs.
    pub(crate) fn start(&mut self, max_bytes: u32) {
        self.max_bytes = max_bytes;
        self.close_long_value();
    }

    /// Closes the long value that was last read from, which may be held in memory.
    pub(crate) fn close_long_value(&mut self) {
        self.long_value = None;
    }

    /// The queue that it reads into.
    pub(crate) fn batches(&mut self) -> &mut BatchSender {
        &mut self.batches
    }

    /// Reads one more batch, and says whether to read on.
    pub(crate) fn read_batch(&mut self) -> bool {
        if self.has_ended || !self.batches.wants_more() {
            return false;
        }
        if let Err(lost) = check_transaction(self.database) {
            return self.end(Err(lost));
        }
        match self.fill() {
            Ok(Filled::Batch) => true,
            Ok(Filled::End) => self.end(Ok(())),
            Ok(Filled::RowIsTooLong(error)) => self.end(Err(error)),
            Err(error) if is_damage(&error) => self.skip_damage(&error),
            Err(error) => self.end(Err(rows_error(&self.query.displayed, &error))),
        }
    }

    /// Goes on behind the damage that an error reports, where there is a way.
    fn skip_damage(&mut self, error: &Error) -> bool {
        let damage = rows_error(&self.query.displayed, error);
        self.push_partial();
        match first_readable(self.database, &self.query, &self.last, self.max_bytes) {
            Ok(Some(behind)) => {
                self.batches.push(Reading::Damage(damage, behind.clone()));
                self.last = behind.clone();
                self.after = behind;
                self.range = 0;
                self.selection = Selection::Plain;
                self.rows = None;
                true
            }
            // What may be behind it can't be reached.
            Ok(None) => self.end(Err(damage)),
            Err(error) => self.end(Err(rows_error(&self.query.displayed, &error))),
        }
    }

    /// The rows have ended.
    fn end(&mut self, end: std::result::Result<(), RowsError>) -> bool {
        self.push_partial();
        self.batches.push(Reading::End(end));
        self.has_ended = true;
        self.rows = None;
        false
    }

    /// Rows before a failure are handed out, wherever the scan started: the same rows each time.
    fn push_partial(&mut self) {
        if let Some(rest) = self.partial.take().filter(|rest| rest.rows() > 0) {
            self.push(rest);
        }
    }

    /// Reads rows until a batch is complete, or the table is at its end.
    fn fill(&mut self) -> Result<Filled> {
        let partial = self.partial.take();
        let mut builder = partial.unwrap_or_else(|| {
            BatchBuilder::new(&self.query, &self.last, self.spare.try_recv().ok())
        });
        loop {
            if builder.is_full(self.max_bytes) {
                self.push(builder);
                return Ok(Filled::Batch);
            }
            match self.append_rows(&mut builder) {
                Ok(Stop::BatchIsFull) => {
                    self.push(builder);
                    return Ok(Filled::Batch);
                }
                Ok(Stop::RangeHasEnded) if self.selection == Selection::Guarded => {
                    self.selection = Selection::Plain;
                    // The guarded query has read its one row, or that row lies in a further range.
                    if !self.restart_after(&builder) {
                        self.range += 1;
                    }
                }
                Ok(Stop::RangeHasEnded) => self.range += 1,
                Ok(Stop::ValueIsTooLong) => {
                    if let Err(error) = self.row_limit.check(self.database, &self.query) {
                        self.partial = Some(builder);
                        return Ok(Filled::RowIsTooLong(error));
                    }
                    self.restart_after(&builder);
                    self.selection = Selection::Guarded;
                }
                Err(error) => {
                    self.partial = Some(builder);
                    return Err(error);
                }
            }
            if self.range >= ranges(&self.after) {
                self.partial = Some(builder);
                return Ok(Filled::End);
            }
        }
    }

    /// Appends the rows of the current range to a batch. A row that does not fit is kept as the next partial
    /// batch.
    fn append_rows(&mut self, builder: &mut BatchBuilder) -> Result<Stop> {
        let mut rows = self.take_rows()?;
        loop {
            match rows.step() {
                Ok(true) => {
                    let spare = || self.spare.try_recv().ok();
                    let next = builder.append(&self.query, &rows, self.max_bytes, spare);
                    if next.is_some() || builder.is_full(self.max_bytes) {
                        self.partial = next;
                        self.rows = Some(rows);
                        return Ok(Stop::BatchIsFull);
                    }
                }
                Ok(false) => return Ok(Stop::RangeHasEnded),
                Err(error)
                    if self.selection == Selection::Plain
                        && error.sqlite_error_code() == Some(ErrorCode::TooBig) =>
                {
                    return Ok(Stop::ValueIsTooLong);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The rows of the current range, from where reading them stopped.
    fn take_rows(&mut self) -> Result<QueryRows<'c>> {
        // SQLite refuses a value longer than this instead of loading it. The guarded query does not load it
        // anyway, but may have to measure it; and the key, a parameter, may be longer.
        let limit = |length| self.database.set_limit(Limit::SQLITE_LIMIT_LENGTH, length);
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => {
                limit(i32::MAX)?;
                let (range, selection) = (self.range, self.selection);
                self.query.rows(self.database, &self.after, range, selection, self.max_bytes)?
            }
        };
        let is_plain = self.selection == Selection::Plain;
        limit(if is_plain { self.max_bytes as i32 } else { i32::MAX })?;
        Ok(rows)
    }

    /// Starts over after the last row that was read; false: none was read since the last start.
    fn restart_after(&mut self, builder: &BatchBuilder) -> bool {
        let last = builder.last_position().unwrap_or_else(|| self.last.clone());
        let has_moved = last != self.after;
        if has_moved {
            self.after = last;
            self.range = 0;
        }
        has_moved
    }

    fn push(&mut self, builder: BatchBuilder) {
        if let Some(last) = builder.last_position() {
            self.last = last;
        }
        self.batches.push(Reading::Rows(builder.finish()));
    }

    /// Reads bytes of a long value.
    pub(crate) fn read_piece(&mut self, piece: &Piece) -> std::result::Result<Vec<u8>, RowsError> {
        if piece.column >= self.query.columns.len() {
            let column = piece.column;
            return Err(RowsError::InvalidCell(format!(
                "{} has no column {column}",
                self.query.displayed
            )));
        }
        let is_same = |(row, column, _): &(Position, usize, LongValue<'c>)| {
            (row, *column) == (&piece.row, piece.column)
        };
        // Another value is closed before this one is opened.
        let opened = match self.long_value.take().filter(is_same) {
            Some((.., value)) => Ok(value),
            None => LongValue::open(self.database, &self.query, &piece.row, piece.column),
        };
        let read = opened.and_then(|value| {
            let bytes = value.read(piece.offset, piece.max_bytes)?;
            self.long_value = Some((piece.row.clone(), piece.column, value));
            Ok(bytes)
        });
        read.map_err(|error| rows_error(&self.query.displayed, &error))
    }
}
