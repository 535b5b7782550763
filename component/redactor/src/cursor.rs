//! A table's rows, changed on the way.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::filter::Filter;
use crate::inner_batch::{Cell, InnerBatch, Place, malformed};
use crate::redaction::DIGEST;
use crate::replacement::{Constant, HashForm, Hasher, Key};
use crate::rows::{Batch, Cursor, Position, RowsError};

/// The most cells in a batch.
const MAX_CELLS: usize = 32_768;

/// How much of a long value is hashed at a time.
const PIECE: u32 = 256 * 1024;

/// How a column is made.
pub(crate) enum Output {
    /// Of nothing.
    Constant(Constant),
    /// It is this inner column.
    Kept(usize),
    /// It is a hash of this inner column.
    Hash(usize, HashForm),
}

/// How a cursor's rows are made of an inner one's.
pub(crate) struct Passage {
    /// For each column that was asked for.
    pub(crate) outputs: Vec<Output>,
    /// How many columns the inner cursor has.
    pub(crate) columns: usize,
    /// By the inner cursor's first column.
    pub(crate) filter: Option<Filter>,
    /// For hashes.
    pub(crate) key: Option<Key>,
}

impl Passage {
    fn changes_nothing(&self) -> bool {
        let is_kept = |(index, output): (usize, &Output)| matches!(output, Output::Kept(from) if *from == index);
        let same_columns = self.columns == self.outputs.len();
        self.filter.is_none() && same_columns && self.outputs.iter().enumerate().all(is_kept)
    }
}

/// A cursor over what is kept of a table.
pub struct RedactedCursor<C> {
    inner: C,
    /// The policy's, which positions begin with.
    digest: Option<[u8; DIGEST]>,
    /// None: rows pass as they are.
    changed: Option<ChangedRows>,
}

impl<C: Cursor> RedactedCursor<C> {
    /// Hands on everything as it is.
    pub(crate) fn unchanged(inner: C) -> Self {
        Self { inner, digest: None, changed: None }
    }

    pub(crate) fn new(inner: C, passage: Passage, digest: [u8; DIGEST]) -> Self {
        let changed = (!passage.changes_nothing()).then(|| ChangedRows::new(passage));
        Self { inner, digest: Some(digest), changed }
    }

    /// The next rows, as [`Cursor::next`].
    ///
    /// # Errors
    ///
    /// Those of the inner cursor.
    pub fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        match &mut self.changed {
            None => self.inner.next(max_bytes),
            Some(changed) => changed.next(&mut self.inner, max_bytes),
        }
    }

    /// The position after so many rows of the last batch, as [`Cursor::position`].
    ///
    /// # Errors
    ///
    /// Those of the inner cursor, and [`RowsError::InvalidCell`] for rows that the batch does not have.
    pub fn position(&self, rows: u32) -> Result<Position, RowsError> {
        let inner = match &self.changed {
            None => rows,
            Some(changed) => changed.inner_rows(rows)?,
        };
        let inner = self.inner.position(inner)?;
        let Some(digest) = &self.digest else { return Ok(inner) };
        Ok([&digest[..], &inner].concat())
    }

    /// Bytes of a long cell of the last batch, as [`Cursor::read`].
    ///
    /// # Errors
    ///
    /// Those of the inner cursor, and [`RowsError::InvalidCell`] for cells that are not long.
    pub fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        let Some(changed) = &self.changed else {
            return self.inner.read(row, column, offset, max_bytes);
        };
        match changed.long_cell(row, column)? {
            LongCell::Inner { row, column } => self.inner.read(*row, *column, offset, max_bytes),
            LongCell::Made(bytes) => {
                let from = bytes.get(offset as usize..).unwrap_or_default();
                Ok(from[..from.len().min(max_bytes as usize)].to_vec())
            }
        }
    }
}

/// Where the bytes of a long cell are.
enum LongCell {
    /// In a long cell of the inner batch.
    Inner { row: u32, column: u32 },
    /// Here: what stands for a short value may be long.
    Made(Vec<u8>),
}

/// The last batch, and what it was made of.
struct ChangedRows {
    passage: Passage,
    inner: InnerBatch,
    /// Up to where the inner batch is used.
    next: Place,
    /// The inner row before which the last batch begins.
    begin: u32,
    /// For each row of the last batch, its number in the inner one.
    rows: Vec<u32>,
    /// The last batch's long cells by row and column, in order.
    long: Vec<((u32, u32), LongCell)>,
}

/// The lengths of a batch's arrays.
struct Lengths([usize; 6]);

impl ChangedRows {
    fn new(passage: Passage) -> Self {
        Self {
            passage,
            inner: InnerBatch::default(),
            next: Place::default(),
            begin: 0,
            rows: Vec::new(),
            long: Vec::new(),
        }
    }

    fn next(&mut self, cursor: &mut impl Cursor, max_bytes: u32) -> Result<Batch, RowsError> {
        loop {
            self.rows.clear();
            self.long.clear();
            if self.inner.is_end(self.next) {
                self.inner = InnerBatch::default();
                self.next = Place::default();
                self.begin = 0;
                let batch = cursor.next(max_bytes)?;
                if batch.rows == 0 {
                    return Ok(Batch::default());
                }
                self.inner = InnerBatch::new(batch, self.passage.columns)?;
            }
            let batch = self.make(cursor, max_bytes)?;
            // No rows would mean the table's end.
            if batch.rows > 0 {
                return Ok(batch);
            }
        }
    }

    /// Makes a batch of the inner one's next rows.
    fn make(&mut self, cursor: &mut impl Cursor, max_bytes: u32) -> Result<Batch, RowsError> {
        let columns = self.passage.outputs.len();
        let mut batch = Batch::default();
        let mut cells = Vec::with_capacity(self.passage.columns);
        self.begin = self.next.row();
        while !self.inner.is_end(self.next) {
            if batch.rows > 0 && batch.kinds.len() + columns > MAX_CELLS {
                break;
            }
            let here = self.next;
            self.inner.read_row(&mut self.next, &mut cells)?;
            let mut row = Row {
                passage: &self.passage,
                cells: &cells,
                cursor: &mut *cursor,
                inner_row: here.row(),
                row: batch.rows,
                max_bytes,
                used: 0,
                long: &mut self.long,
            };
            if !row.is_kept()? {
                continue;
            }
            let before = Lengths::of(&batch, row.long);
            row.write(&mut batch)?;
            if batch.rows > 0 && batch.bytes.len() > max_bytes as usize {
                before.restore(&mut batch, &mut self.long);
                self.next = here;
                break;
            }
            batch.rows += 1;
            self.rows.push(here.row());
        }
        Ok(batch)
    }

    /// How many rows of the inner batch so many rows of the last one are.
    fn inner_rows(&self, rows: u32) -> Result<u32, RowsError> {
        let count = self.rows.len();
        match rows as usize {
            0 => Ok(self.begin),
            // Those after the last that is kept too.
            all if all == count => Ok(self.next.row()),
            some => self.rows.get(some).copied().ok_or_else(|| {
                RowsError::InvalidCell(format!("the last batch has {count} rows, not {rows}"))
            }),
        }
    }

    fn long_cell(&self, row: u32, column: u32) -> Result<&LongCell, RowsError> {
        let found = self.long.binary_search_by_key(&(row, column), |(at, _)| *at);
        let cell = found.ok().and_then(|at| self.long.get(at));
        cell.map(|(_, cell)| cell).ok_or_else(|| {
            RowsError::InvalidCell(format!("row {row} has no long cell in column {column}"))
        })
    }
}

impl Lengths {
    fn of(batch: &Batch, long: &[((u32, u32), LongCell)]) -> Self {
        Self([
            batch.kinds.len(),
            batch.integers.len(),
            batch.reals.len(),
            batch.lengths.len(),
            batch.bytes.len(),
            long.len(),
        ])
    }

    fn restore(self, batch: &mut Batch, all_long: &mut Vec<((u32, u32), LongCell)>) {
        let [kinds, integers, reals, lengths, bytes, long] = self.0;
        batch.kinds.truncate(kinds);
        batch.integers.truncate(integers);
        batch.reals.truncate(reals);
        batch.lengths.truncate(lengths);
        batch.bytes.truncate(bytes);
        all_long.truncate(long);
    }
}

/// One row on its way.
struct Row<'a, C> {
    passage: &'a Passage,
    cells: &'a [Cell<'a>],
    cursor: &'a mut C,
    inner_row: u32,
    row: u32,
    max_bytes: u32,
    /// Bytes of the row's texts and blobs so far, without long ones.
    used: u64,
    long: &'a mut Vec<((u32, u32), LongCell)>,
}

impl<C: Cursor> Row<'_, C> {
    fn is_kept(&mut self) -> Result<bool, RowsError> {
        let (Some(filter), Some(first)) = (&self.passage.filter, self.cells.first()) else {
            return Ok(true);
        };
        if let Cell::Long { is_text: true, .. } = first {
            let beginning = self.cursor.read(self.inner_row, 0, 0, filter.deciding_bytes())?;
            return Ok(filter.keeps(Cell::Text(&beginning)));
        }
        Ok(filter.keeps(*first))
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), RowsError> {
        let passage = self.passage;
        for (column, output) in passage.outputs.iter().enumerate() {
            let column = column as u32;
            match output {
                Output::Constant(constant) => self.constant(column, constant, batch),
                Output::Kept(from) => self.kept(column, *from, batch)?,
                Output::Hash(from, form) => match self.hash(*from)? {
                    None => batch.kinds.push(5),
                    Some(hash) => self.constant(column, &form.cell(&hash), batch),
                },
            }
        }
        Ok(())
    }

    fn constant(&mut self, column: u32, constant: &Constant, batch: &mut Batch) {
        match constant {
            Constant::Null => batch.kinds.push(5),
            Constant::Integer(value) => {
                batch.kinds.push(1);
                batch.integers.push(*value);
            }
            Constant::Real(value) => {
                batch.kinds.push(2);
                batch.reals.push(*value);
            }
            Constant::Text(text) => self.bytes(column, 3, text, batch),
            Constant::Blob(blob) => self.bytes(column, 4, blob, batch),
        }
    }

    fn kept(&mut self, column: u32, from: usize, batch: &mut Batch) -> Result<(), RowsError> {
        match *self.cells.get(from).ok_or_else(malformed)? {
            Cell::Null => batch.kinds.push(5),
            Cell::Integer(value) => {
                batch.kinds.push(1);
                batch.integers.push(value);
            }
            Cell::Real(value) => {
                batch.kinds.push(2);
                batch.reals.push(value);
            }
            Cell::Text(text) => self.bytes(column, 3, text, batch),
            Cell::Blob(blob) => self.bytes(column, 4, blob, batch),
            Cell::Long { is_text, length } => {
                let kind = if is_text { 3 } else { 4 };
                let (row, inner) = (self.inner_row, from as u32);
                if self.fits(length as usize) {
                    let bytes = self.cursor.read(row, inner, 0, length)?;
                    if bytes.len() != length as usize {
                        return Err(malformed());
                    }
                    self.bytes(column, kind, &bytes, batch);
                } else {
                    self.long.push(((self.row, column), LongCell::Inner { row, column: inner }));
                    batch.kinds.push(kind + 3);
                    batch.lengths.push(length);
                }
            }
        }
        Ok(())
    }

    /// Whether so many bytes more are not long.
    fn fits(&self, length: usize) -> bool {
        self.used + length as u64 <= u64::from(self.max_bytes)
    }

    /// A text or blob, of the kind 3 or 4.
    fn bytes(&mut self, column: u32, kind: u8, bytes: &[u8], batch: &mut Batch) {
        batch.lengths.push(bytes.len() as u32);
        if self.fits(bytes.len()) {
            self.used += bytes.len() as u64;
            batch.kinds.push(kind);
            batch.bytes.extend_from_slice(bytes);
        } else {
            self.long.push(((self.row, column), LongCell::Made(bytes.to_vec())));
            batch.kinds.push(kind + 3);
        }
    }

    /// The hash of a cell; none: it is NULL.
    fn hash(&mut self, from: usize) -> Result<Option<[u8; 32]>, RowsError> {
        let key = self
            .passage
            .key
            .as_ref()
            .ok_or_else(|| RowsError::Failed(String::from("there is no key for hashes")))?;
        let of = |mut hasher: Hasher, bytes: &[u8]| {
            hasher.update(bytes);
            Some(hasher.finish())
        };
        Ok(match *self.cells.get(from).ok_or_else(malformed)? {
            Cell::Null => None,
            Cell::Integer(value) => Some(key.integer(value)),
            Cell::Real(value) => Some(key.real(value)),
            Cell::Text(text) => of(key.text(), text),
            Cell::Blob(blob) => of(key.blob(), blob),
            Cell::Long { is_text, length } => {
                let mut hasher = if is_text { key.text() } else { key.blob() };
                let mut offset = 0;
                while offset < length {
                    let piece = self.cursor.read(self.inner_row, from as u32, offset, PIECE)?;
                    if piece.is_empty() {
                        return Err(malformed());
                    }
                    hasher.update(&piece);
                    offset += piece.len() as u32;
                }
                Some(hasher.finish())
            }
        })
    }
}
