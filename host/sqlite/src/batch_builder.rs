//! Fills a batch with SQLite's rows.

use std::sync::Arc;

use rusqlite::types::ValueRef;

use crate::cell_kind::{BLOB, INTEGER, LONG_BLOB, LONG_TEXT, NULL, REAL, TEXT};
use crate::key_order::KeyOrder;
use crate::keyed_batch::{KeyedBatch, SpareBatch};
use crate::position::{Position, TAG_PRIMARY_KEY, encode_value};
use crate::query_rows::{CellPlace, QueryRows};
use crate::row_keys::RowKeys;
use crate::table_query::TableQuery;
use partway_wasmtime::rows::Batch;

/// The contract's bound on the cells of a batch that holds more than one row.
const MAX_CELLS: usize = 32_768;

/// A batch that is being filled, with the key of each of its rows.
pub(crate) struct BatchBuilder {
    batch: Batch,
    keys: RowKeys,
    /// With more cells than this there is no room for a further row.
    max_cells_before_row: usize,
}

impl BatchBuilder {
    /// An empty batch of rows that come after a position. `spare`: memory to use again.
    pub(crate) fn new(query: &TableQuery, after: &Position, spare: Option<SpareBatch>) -> Self {
        let (batch, spare_keys) = spare.map(SpareBatch::cleared).unzip();
        Self {
            batch: batch.unwrap_or_default(),
            keys: RowKeys::new(&query.order, after, spare_keys),
            max_cells_before_row: MAX_CELLS.saturating_sub(query.columns.len()),
        }
    }

    /// Whether no further row may be appended.
    #[inline]
    pub(crate) fn is_full(&self, max_bytes: u32) -> bool {
        self.batch.rows > 0
            && (self.batch.kinds.len() > self.max_cells_before_row
                || self.batch.bytes.len() >= max_bytes as usize
                || self.keys.bytes() >= max_bytes as usize)
    }

    /// How many rows it holds.
    pub(crate) fn rows(&self) -> u32 {
        self.batch.rows
    }

    /// The position after the last row; none where there is no row.
    pub(crate) fn last_position(&self) -> Option<Position> {
        self.keys.position_after(self.batch.rows.checked_sub(1)?)
    }

    /// The complete batch.
    pub(crate) fn finish(self) -> KeyedBatch {
        KeyedBatch { batch: Arc::new(self.batch), keys: self.keys }
    }

    /// Appends a row. Where it does not fit with those before it, it is returned as the first row of the next
    /// batch, which `spare` gives memory for.
    pub(crate) fn append(
        &mut self,
        query: &TableQuery,
        row: &QueryRows<'_>,
        max_bytes: u32,
        spare: impl FnOnce() -> Option<SpareBatch>,
    ) -> Option<Self> {
        let before = ArrayLengths::of(&self.batch);
        let mut row_bytes: usize = 0;
        if let Some((statement, places)) = row.plain() {
            for place in places {
                self.append_cell(statement.cell(*place), &mut row_bytes, max_bytes);
            }
            let is_first = places.first() == Some(&0);
            self.append_key(query, &before, is_first, |index| statement.cell(index));
        } else {
            self.append_guarded(row, &mut row_bytes, max_bytes);
            self.append_key(query, &before, false, |index| row.cell(index));
        }
        self.batch.rows += 1;
        let fits = self.batch.rows == 1 || self.batch.bytes.len() <= max_bytes as usize;
        if fits {
            return None;
        }
        let next = Self::new(query, &Position::Start, spare());
        Some(self.move_last(&before, next))
    }

    /// Appends the cells of a row some of which may be long, or which come from several statements.
    #[inline(never)]
    fn append_guarded(&mut self, row: &QueryRows<'_>, row_bytes: &mut usize, max_bytes: u32) {
        for place in row.places() {
            match *place {
                CellPlace::Plain(at) => self.append_cell(row.cell(at), row_bytes, max_bytes),
                CellPlace::Measured(at) => self.append_measured(row, at, row_bytes, max_bytes),
                CellPlace::Guarded(at) => match row.cell(at + 1) {
                    // SQLite's values are shorter than 2^31 bytes.
                    ValueRef::Integer(length) if length > i64::from(max_bytes) => {
                        let length = row.stored_length(at).map_or(length as u32, |all| all as u32);
                        self.append_long(row.cell(at) == ValueRef::Integer(1), length);
                    }
                    _ => self.append_measured(row, at, row_bytes, max_bytes),
                },
            }
        }
    }

    fn append_measured(
        &mut self,
        row: &QueryRows<'_>,
        at: usize,
        row_bytes: &mut usize,
        max_bytes: u32,
    ) {
        match (row.lost_mark(at), row.cell(at)) {
            (Some(mark), ValueRef::Text(text)) => {
                self.append_bytes(TEXT, &[&mark, text].concat(), row_bytes, max_bytes);
            }
            (_, value) => self.append_cell(value, row_bytes, max_bytes),
        }
    }

    /// Appends the key of the row whose cells come after `before`. `is_first`: a rowid is the first of them; that is most
    /// often so. `cell`: the results of the query, of which the first are the key.
    #[inline(always)]
    fn append_key<'r>(
        &mut self,
        query: &TableQuery,
        before: &ArrayLengths,
        is_first: bool,
        cell: impl Fn(usize) -> ValueRef<'r>,
    ) {
        match (&mut self.keys, &query.order) {
            (RowKeys::Rowids(rowids), _) => {
                let rowid = match is_first {
                    true => self.batch.integers.get(before.integers).copied(),
                    false => cell(0).as_i64().ok(),
                };
                rowids.extend(rowid);
            }
            (RowKeys::PrimaryKeys { bytes, ends }, KeyOrder::PrimaryKey(columns)) => {
                bytes.push(TAG_PRIMARY_KEY);
                for column in 0..columns.len() {
                    encode_value(bytes, cell(column));
                }
                ends.push(bytes.len());
            }
            _ => {}
        }
    }

    #[inline(always)]
    fn append_cell(&mut self, value: ValueRef<'_>, row_bytes: &mut usize, max_bytes: u32) {
        let batch = &mut self.batch;
        match value {
            ValueRef::Null => batch.kinds.push(NULL),
            ValueRef::Integer(value) => {
                batch.kinds.push(INTEGER);
                batch.integers.push(value);
            }
            ValueRef::Real(value) => {
                batch.kinds.push(REAL);
                batch.reals.push(value);
            }
            ValueRef::Text(bytes) => self.append_bytes(TEXT, bytes, row_bytes, max_bytes),
            ValueRef::Blob(bytes) => self.append_bytes(BLOB, bytes, row_bytes, max_bytes),
        }
    }

    #[inline(always)]
    fn append_bytes(&mut self, kind: u8, bytes: &[u8], row_bytes: &mut usize, max_bytes: u32) {
        if *row_bytes + bytes.len() > max_bytes as usize {
            return self.append_long(kind == TEXT, bytes.len() as u32);
        }
        *row_bytes += bytes.len();
        self.batch.kinds.push(kind);
        self.batch.lengths.push(bytes.len() as u32);
        self.batch.bytes.extend_from_slice(bytes);
    }

    #[cold]
    fn append_long(&mut self, text: bool, length: u32) {
        self.batch.kinds.push(if text { LONG_TEXT } else { LONG_BLOB });
        self.batch.lengths.push(length);
    }

    /// Moves the last row to `to`, an empty batch that follows this one.
    fn move_last(&mut self, before: &ArrayLengths, mut to: Self) -> Self {
        let (from, to_batch) = (&mut self.batch, &mut to.batch);
        from.rows -= 1;
        to_batch.rows = 1;
        move_from(&mut from.kinds, before.kinds, &mut to_batch.kinds);
        move_from(&mut from.integers, before.integers, &mut to_batch.integers);
        move_from(&mut from.reals, before.reals, &mut to_batch.reals);
        move_from(&mut from.lengths, before.lengths, &mut to_batch.lengths);
        move_from(&mut from.bytes, before.bytes, &mut to_batch.bytes);
        let rows = from.rows as usize;
        self.keys.move_rest(rows, &mut to.keys);
        to
    }
}

fn move_from<T: Copy>(from: &mut Vec<T>, start: usize, to: &mut Vec<T>) {
    to.extend_from_slice(&from[start..]);
    from.truncate(start);
}

/// How long each array was before a row.
struct ArrayLengths {
    kinds: usize,
    integers: usize,
    reals: usize,
    lengths: usize,
    bytes: usize,
}

impl ArrayLengths {
    fn of(batch: &Batch) -> Self {
        Self {
            kinds: batch.kinds.len(),
            integers: batch.integers.len(),
            reals: batch.reals.len(),
            lengths: batch.lengths.len(),
            bytes: batch.bytes.len(),
        }
    }
}
