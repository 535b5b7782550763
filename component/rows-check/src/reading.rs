//! Reads rows through a cursor, and checks each batch on the way.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::partway::pipe::rows::{Batch, Cursor, Error, scan};
use crate::cell::Cell;
use crate::report::Report;

const MAX_CELLS: usize = 32_768;

/// A row, and the position after it if it was asked for.
pub struct Row {
    pub cells: Vec<Cell>,
    pub after: Vec<u8>,
}

/// A scan that is checked.
pub struct Scan<'a> {
    /// The table's name, for messages.
    name: &'a str,
    cursor: Cursor,
    columns: usize,
    max_bytes: u32,
    /// Whether rows are to have their positions: each is a call.
    with_positions: bool,
}

/// The contract's name of an error, and its text.
pub fn error_text(error: &Error) -> String {
    let (name, text) = match error {
        Error::UnknownTable(text) => ("unknown-table", text.as_str()),
        Error::UnknownColumn(text) => ("unknown-column", text.as_str()),
        Error::InvalidPosition(text) => ("invalid-position", text.as_str()),
        Error::InvalidCell(text) => ("invalid-cell", text.as_str()),
        Error::Unavailable(text) => ("unavailable", text.as_str()),
        Error::Corrupt(text) => ("corrupt", text.as_str()),
        Error::Interrupted => ("interrupted", ""),
        Error::Failed(text) => ("failed", text.as_str()),
    };
    format!("{name}: {text}")
}

impl<'a> Scan<'a> {
    /// Opens a table; none, with a failure in the report: it can't be.
    pub fn open(
        report: &mut Report,
        name: &'a str,
        table: &Vec<u8>,
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
        max_bytes: u32,
    ) -> Option<Self> {
        match scan(table, columns, after) {
            Ok(cursor) => {
                let columns = columns.len();
                Some(Self { name, cursor, columns, max_bytes, with_positions: false })
            }
            Err(error) => {
                let error = error_text(&error);
                report.fail("scan-opens", format!("{name}: {error}"));
                None
            }
        }
    }

    /// From now on, rows have their positions.
    pub fn with_positions(mut self) -> Self {
        self.with_positions = true;
        self
    }

    /// The next batch's rows; empty at the end, and none, with a failure in the report, after an error.
    pub fn next(&mut self, report: &mut Report) -> Option<Vec<Row>> {
        let batch = match self.cursor.next(self.max_bytes) {
            Ok(batch) => batch,
            Err(error) => {
                report.fail("next-returns", format!("{}: {}", self.name, error_text(&error)));
                return None;
            }
        };
        if let Err(wrong) = self.shape(&batch) {
            report.fail(
                "batch-shape",
                format!("{}, max-bytes {}: {wrong}", self.name, self.max_bytes),
            );
            return None;
        }
        if let Err(wrong) = self.long_cells(&batch) {
            report.fail(
                "long-cells",
                format!("{}, max-bytes {}: {wrong}", self.name, self.max_bytes),
            );
        }
        self.rows(report, &batch)
    }

    /// At most so many rows; all there are, without a limit.
    pub fn read(&mut self, report: &mut Report, limit: Option<usize>) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        while limit.is_none_or(|limit| rows.len() < limit) {
            let next = self.next(report)?;
            if next.is_empty() {
                break;
            }
            rows.extend(next);
        }
        rows.truncate(limit.unwrap_or(usize::MAX));
        Some(rows)
    }

    /// The position after so many rows of the last batch.
    pub fn position(&self, rows: u32) -> Result<Vec<u8>, Error> {
        self.cursor.position(rows)
    }

    /// Whether the arrays fit each other.
    fn shape(&self, batch: &Batch) -> Result<(), String> {
        let Batch { rows, kinds, integers, reals, lengths, bytes } = batch;
        let count = |of: &[u8]| kinds.iter().filter(|kind| of.contains(kind)).count();
        let same = |what: &str, expected: usize, found: usize| match expected == found {
            true => Ok(()),
            false => Err(format!("{expected} {what} expected, {found} found")),
        };
        same("kinds (rows × columns)", *rows as usize * self.columns, kinds.len())?;
        if let Some(kind) = kinds.iter().find(|kind| !(1..=7).contains(*kind)) {
            return Err(format!("there is no kind {kind}"));
        }
        same("integers", count(&[1]), integers.len())?;
        same("reals", count(&[2]), reals.len())?;
        same("lengths", count(&[3, 4, 6, 7]), lengths.len())?;
        let mut lengths = lengths.iter();
        let mut size = 0;
        for kind in kinds.iter().filter(|kind| [3, 4, 6, 7].contains(*kind)) {
            let length = lengths.next().copied().unwrap_or_default() as usize;
            size += if *kind <= 4 { length } else { 0 };
        }
        same("bytes (the lengths of short text and blobs)", size, bytes.len())?;
        if bytes.len() > self.max_bytes as usize {
            return Err(format!("{} bytes are more than were asked for", bytes.len()));
        }
        if *rows > 1 && kinds.len() > MAX_CELLS {
            return Err(format!("{} cells in {rows} rows: more than {MAX_CELLS}", kinds.len()));
        }
        match reals.iter().any(|real| real.is_nan()) {
            true => Err("a float is NaN".to_string()),
            false => Ok(()),
        }
    }

    /// Whether those cells are long that must be.
    fn long_cells(&self, batch: &Batch) -> Result<(), String> {
        let mut lengths = batch.lengths.iter();
        for (row, kinds) in batch.kinds.chunks(self.columns.max(1)).enumerate() {
            let mut taken = 0;
            for (column, kind) in kinds.iter().enumerate() {
                if ![3, 4, 6, 7].contains(kind) {
                    continue;
                }
                let length = u64::from(lengths.next().copied().unwrap_or_default());
                let is_long = taken + length > u64::from(self.max_bytes);
                if is_long != (*kind >= 6) {
                    let found = if *kind >= 6 { "is long" } else { "is not long" };
                    return Err(format!(
                        "row {row} of a batch, column {column} of {length} bytes {found}, with {taken} bytes of its row before"
                    ));
                }
                taken += if is_long { 0 } else { length };
            }
        }
        Ok(())
    }

    fn rows(&self, report: &mut Report, batch: &Batch) -> Option<Vec<Row>> {
        let (mut integers, mut reals) = (batch.integers.iter(), batch.reals.iter());
        let (mut lengths, mut bytes) = (batch.lengths.iter(), &batch.bytes[..]);
        let mut rows = Vec::new();
        for row in 0..batch.rows {
            let mut cells = Vec::new();
            for column in 0..self.columns {
                let mut short = || {
                    let length = lengths.next().copied().unwrap_or_default() as usize;
                    let (taken, rest) = bytes.split_at(length);
                    bytes = rest;
                    taken.to_vec()
                };
                cells.push(match batch.kinds[row as usize * self.columns + column] {
                    1 => Cell::Integer(integers.next().copied().unwrap_or_default()),
                    2 => Cell::Float(reals.next().copied().unwrap_or_default().to_bits()),
                    3 => Cell::Text(short()),
                    4 => Cell::Blob(short()),
                    5 => Cell::Null,
                    kind => {
                        let length = lengths.next().copied().unwrap_or_default();
                        let value = self.long_value(report, row, column as u32, length)?;
                        if kind == 6 { Cell::Text(value) } else { Cell::Blob(value) }
                    }
                });
            }
            if !self.with_positions {
                rows.push(Row { cells, after: Vec::new() });
                continue;
            }
            match self.position(row + 1) {
                Ok(after) => rows.push(Row { cells, after }),
                Err(error) => {
                    let error = error_text(&error);
                    report.fail(
                        "positions",
                        format!("{}: no position after row {row} of a batch: {error}", self.name),
                    );
                    return None;
                }
            }
        }
        Some(rows)
    }

    /// A long value, read in three pieces; and pieces that overlap, and lie behind its end.
    fn long_value(
        &self,
        report: &mut Report,
        row: u32,
        column: u32,
        length: u32,
    ) -> Option<Vec<u8>> {
        let mut read = |offset: u32, max_bytes: u32| {
            let piece = self.cursor.read(row, column, offset, max_bytes);
            let at = || {
                format!(
                    "{}, column {column}, {max_bytes} bytes from {offset} of {length}",
                    self.name
                )
            };
            match piece {
                Ok(piece) => {
                    let expected = length.saturating_sub(offset).min(max_bytes) as usize;
                    let found = piece.len();
                    let text = || format!("{}: {expected} bytes expected, {found} found", at());
                    report.expect("long-pieces", expected == found, text).then_some(piece)
                }
                Err(error) => {
                    report.fail("long-pieces", format!("{}: {}", at(), error_text(&error)));
                    None
                }
            }
        };
        let third = length / 3 + 1;
        let mut value = Vec::new();
        for offset in [0, third, 2 * third] {
            value.extend(read(offset, third)?);
        }
        let overlapping = read(1, 7)?;
        read(length, 7)?;
        read(length - 1, 7)?;
        let is_same = value.get(1..1 + overlapping.len()) == Some(&overlapping[..]);
        let name = self.name;
        let text = || format!("{name}, column {column}: pieces that overlap are different");
        report.expect("long-pieces", is_same, text).then_some(value)
    }
}
