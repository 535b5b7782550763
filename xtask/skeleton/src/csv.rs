//! The format itself: how a table and its cells are written. All of it may be changed.

use alloc::format;
use alloc::vec::Vec;

use crate::partway::pipe::rows::Batch;

/// The format's name, for `partway export --format`.
pub const NAME: &str = "csv";

/// The line before a table's rows.
pub fn heading(text: &mut Vec<u8>, table: &[u8], columns: &[Vec<u8>]) {
    field(text, table);
    for column in columns {
        text.push(b',');
        field(text, column);
    }
    text.push(b'\n');
}

/// The cells of one row. Its text and blob cells are read from the batch; none is long.
pub fn row(text: &mut Vec<u8>, table: &[u8], kinds: &[u8], cells: &mut Cells<'_>) {
    field(text, table);
    for kind in kinds {
        text.push(b',');
        cell(text, *kind, cells);
    }
    text.push(b'\n');
}

fn cell(text: &mut Vec<u8>, kind: u8, cells: &mut Cells<'_>) {
    match kind {
        1 => text.extend(format!("{}", cells.integer()).bytes()),
        // The shortest digits that give the same float again; `inf` for infinity.
        2 => text.extend(format!("{:?}", cells.real()).bytes()),
        // As stored: in a UTF-8 database UTF-8, if whoever wrote it took care.
        3 => field(text, cells.bytes()),
        4 => {
            text.extend(b"x'");
            for byte in cells.bytes() {
                text.extend(format!("{byte:02x}").bytes());
            }
            text.push(b'\'');
        }
        // NULL: nothing. Empty text has quotes.
        _ => {}
    }
}

/// A text in quotes, with quotes inside doubled.
fn field(text: &mut Vec<u8>, value: &[u8]) {
    text.push(b'"');
    for byte in value {
        if *byte == b'"' {
            text.push(b'"');
        }
        text.push(*byte);
    }
    text.push(b'"');
}

/// The cells of a batch, each read once and in order.
pub struct Cells<'a> {
    integers: core::slice::Iter<'a, i64>,
    reals: core::slice::Iter<'a, f64>,
    lengths: core::slice::Iter<'a, u32>,
    bytes: &'a [u8],
}

impl<'a> Cells<'a> {
    pub fn new(batch: &'a Batch) -> Self {
        let Batch {
            integers,
            reals,
            lengths,
            bytes,
            ..
        } = batch;
        Self {
            integers: integers.iter(),
            reals: reals.iter(),
            lengths: lengths.iter(),
            bytes,
        }
    }

    fn integer(&mut self) -> i64 {
        self.integers.next().copied().unwrap_or_default()
    }

    fn real(&mut self) -> f64 {
        self.reals.next().copied().unwrap_or_default()
    }

    /// The bytes of a text or blob.
    fn bytes(&mut self) -> &'a [u8] {
        let length = self.lengths.next().map_or(0, |length| *length as usize);
        let (value, rest) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = rest;
        value
    }
}
