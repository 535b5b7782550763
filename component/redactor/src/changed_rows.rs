//! Rows changed on the way: the batches of a cursor made of those of another one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::batch_builder::BatchBuilder;
use crate::filter::Filter;
use crate::inner_batch::{Cell, InnerBatch, Place, Value, malformed};
use crate::replacement::{Constant, HashForm, Hasher, Key, encoded, integer};
use partway_rows::{Batch, Cursor, Encoding, RowsError};

/// The codes of cells, by `rows.wit`.
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const LONG_TEXT: u8 = TEXT + LONG;
const LONG_BLOB: u8 = BLOB + LONG;

/// What a long cell's code is more.
const LONG: u8 = 3;

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
    /// Whether rows pass as they are.
    pub(crate) fn changes_nothing(&self) -> bool {
        let is_kept = |(index, output): (usize, &Output)| matches!(output, Output::Kept(from) if *from == index);
        let same_columns = self.columns == self.outputs.len();
        self.filter.is_none() && same_columns && self.outputs.iter().enumerate().all(is_kept)
    }
}

/// Where the bytes of a long cell are.
pub(crate) enum LongCell {
    /// In a long cell of the inner batch.
    Inner { row: u32, column: u32 },
    /// Here: what stands for a short value may be long.
    Made(Vec<u8>),
}

/// The last batch, and what it was made of.
pub(crate) struct ChangedRows {
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

impl ChangedRows {
    pub(crate) fn new(passage: Passage) -> Self {
        Self {
            passage,
            inner: InnerBatch::default(),
            next: Place::default(),
            begin: 0,
            rows: Vec::new(),
            long: Vec::new(),
        }
    }

    /// The next batch of changed rows.
    pub(crate) fn next(
        &mut self,
        cursor: &mut impl Cursor,
        max_bytes: u32,
    ) -> Result<Batch, RowsError> {
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
        let mut batch = BatchBuilder::new(&self.inner);
        let mut cells = Vec::with_capacity(self.passage.columns);
        self.begin = self.next.row();
        while !self.inner.is_end(self.next) {
            if batch.rows() > 0 && batch.cells() + columns > MAX_CELLS {
                break;
            }
            let here = self.next;
            self.inner.read_row(&mut self.next, &mut cells)?;
            let (before, long_before) = (batch.progress(), self.long.len());
            let mut row = Row {
                passage: &self.passage,
                inner: &self.inner,
                cells: &cells,
                cursor: &mut *cursor,
                inner_row: here.row(),
                row: batch.rows(),
                max_bytes,
                used: 0,
                batch: &mut batch,
                long: &mut self.long,
            };
            if !row.is_kept()? {
                continue;
            }
            row.write()?;
            if batch.rows() > 0 && batch.size() > max_bytes as usize {
                batch.back_to(before);
                self.long.truncate(long_before);
                self.next = here;
                break;
            }
            batch.end_row();
            self.rows.push(here.row());
        }
        Ok(batch.finish())
    }

    /// How many rows of the inner batch so many rows of the last one are.
    pub(crate) fn inner_rows(&self, rows: u32) -> Result<u32, RowsError> {
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

    /// A long cell of the last batch.
    pub(crate) fn long_cell(&self, row: u32, column: u32) -> Result<&LongCell, RowsError> {
        let found = self.long.binary_search_by_key(&(row, column), |(at, _)| *at);
        let cell = found.ok().and_then(|at| self.long.get(at));
        cell.map(|(_, cell)| cell).ok_or_else(|| {
            RowsError::InvalidCell(format!("row {row} has no long cell in column {column}"))
        })
    }
}

/// One row on its way.
struct Row<'a, 'b, C> {
    passage: &'a Passage,
    inner: &'a InnerBatch,
    cells: &'a [Cell],
    cursor: &'a mut C,
    inner_row: u32,
    row: u32,
    max_bytes: u32,
    /// Bytes of the row's texts and blobs so far, without long ones.
    used: u64,
    batch: &'a mut BatchBuilder<'b>,
    long: &'a mut Vec<((u32, u32), LongCell)>,
}

impl<C: Cursor> Row<'_, '_, C> {
    fn is_kept(&mut self) -> Result<bool, RowsError> {
        let (Some(filter), Some(first)) = (&self.passage.filter, self.cells.first()) else {
            return Ok(true);
        };
        let first = self.inner.value(*first)?;
        if let Value::Long { is_text: true, .. } = first {
            let beginning = self.cursor.read(self.inner_row, 0, 0, filter.deciding_bytes())?;
            return Ok(filter.keeps(Value::Text(&beginning)));
        }
        Ok(filter.keeps(first))
    }

    fn write(&mut self) -> Result<(), RowsError> {
        let passage = self.passage;
        for (column, output) in passage.outputs.iter().enumerate() {
            let column = column as u32;
            match output {
                Output::Constant(constant) => self.constant(column, constant),
                Output::Kept(from) => self.kept(column, *from)?,
                Output::Hash(from, form) => match self.hash(*from)? {
                    None => self.batch.null(),
                    Some(hash) => self.hashed(column, *form, &hash),
                },
            }
        }
        Ok(())
    }

    fn constant(&mut self, column: u32, constant: &Constant) {
        match constant {
            Constant::Null => self.batch.null(),
            Constant::Integer(value) => self.batch.integer(*value),
            Constant::Real(value) => self.batch.real(*value),
            Constant::Text(text) => self.bytes(column, TEXT, text),
            Constant::Blob(blob) => self.bytes(column, BLOB, blob),
        }
    }

    fn kept(&mut self, column: u32, from: usize) -> Result<(), RowsError> {
        let cell = self.cell(from)?;
        let is_long = matches!(cell.kind, LONG_TEXT | LONG_BLOB);
        let length = cell.length as usize;
        match (is_long, self.fits(length)) {
            (false, true) => {
                self.used += length as u64;
                self.batch.kept(cell);
            }
            // What is before it takes more bytes than it did.
            (false, false) => {
                let bytes = match self.inner.value(cell)? {
                    Value::Text(bytes) | Value::Blob(bytes) => bytes.to_vec(),
                    _ => return Err(malformed()),
                };
                self.bytes(column, cell.kind, &bytes);
            }
            // Or fewer.
            (true, true) => {
                let bytes = self.cursor.read(self.inner_row, from as u32, 0, cell.length)?;
                if bytes.len() != length {
                    return Err(malformed());
                }
                self.bytes(column, cell.kind - LONG, &bytes);
            }
            (true, false) => {
                let inner = LongCell::Inner { row: self.inner_row, column: from as u32 };
                self.long.push(((self.row, column), inner));
                self.batch.kept(cell);
            }
        }
        Ok(())
    }

    fn cell(&self, from: usize) -> Result<Cell, RowsError> {
        self.cells.get(from).copied().ok_or_else(malformed)
    }

    /// Whether so many bytes more are not long.
    fn fits(&self, length: usize) -> bool {
        self.used + length as u64 <= u64::from(self.max_bytes)
    }

    /// A text or blob of its own.
    fn bytes(&mut self, column: u32, kind: u8, bytes: &[u8]) {
        if self.fits(bytes.len()) {
            self.used += bytes.len() as u64;
            self.batch.bytes(kind, bytes);
        } else {
            self.long.push(((self.row, column), LongCell::Made(bytes.to_vec())));
            self.batch.long(kind + LONG, bytes.len() as u32);
        }
    }

    fn hashed(&mut self, column: u32, form: HashForm, hash: &[u8; 32]) {
        match form {
            HashForm::Integer => self.batch.integer(integer(hash)),
            HashForm::Blob => self.bytes(column, BLOB, hash),
            HashForm::Text(encoding) => {
                let mut digits = [0; 64];
                let digits = base16ct::lower::encode_str(hash, &mut digits).unwrap_or_default();
                match encoding {
                    Encoding::Utf8 => self.bytes(column, TEXT, digits.as_bytes()),
                    _ => self.bytes(column, TEXT, &encoded(digits, encoding)),
                }
            }
        }
    }

    /// The hash of a cell; none: it is NULL.
    fn hash(&mut self, from: usize) -> Result<Option<[u8; 32]>, RowsError> {
        let key = self.passage.key.as_ref();
        let key =
            key.ok_or_else(|| RowsError::Failed(String::from("there is no key for hashes")))?;
        let of = |mut hasher: Hasher, bytes: &[u8]| {
            hasher.update(bytes);
            Some(hasher.finish())
        };
        Ok(match self.inner.value(self.cell(from)?)? {
            Value::Null => None,
            Value::Integer(value) => Some(key.integer(value)),
            Value::Real(value) => Some(key.real(value)),
            Value::Text(text) => of(key.text(), text),
            Value::Blob(blob) => of(key.blob(), blob),
            Value::Long { is_text, length } => {
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
