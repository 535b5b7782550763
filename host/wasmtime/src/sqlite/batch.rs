//! Filling a batch from SQLite's rows.

use rusqlite::types::ValueRef;

use super::key::{Key, PRIMARY, encode_cell};
use super::scan::{KeyKind, Place, Scan, ScanRows};
use crate::contract::rows::Batch;

/// The contract's bound on the cells of a batch that holds more than one row.
const MOST_CELLS: usize = 32_768;

/// Room made beforehand for text and blobs; memory is not used before it is written to.
const USUAL_BYTES: u32 = 256 * 1024;

const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const NULL: u8 = 5;
const LONG_TEXT: u8 = 6;
const LONG_BLOB: u8 = 7;

/// The keys of a batch's rows.
#[derive(Debug)]
pub(super) enum Keys {
    Rowids(Vec<i64>),
    /// Encoded as positions, back to back, with where each ends.
    Primary {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    /// Counted from the start of the table; the first row's number.
    Ordinals(u64),
}

/// A batch in the making, with the key of each of its rows.
pub(super) struct Builder {
    batch: Batch,
    keys: Keys,
}

impl Builder {
    /// An empty batch of a table; `before` is where it begins.
    pub(super) fn new(kind: &KeyKind, before: &Key, max_bytes: u32) -> Self {
        let keys = match (kind, before) {
            (KeyKind::Rowid(_), _) => Keys::Rowids(Vec::new()),
            (KeyKind::Primary(_), _) => Keys::Primary { bytes: Vec::new(), ends: Vec::new() },
            (KeyKind::Ordinal, Key::Ordinal(rows)) => Keys::Ordinals(*rows),
            (KeyKind::Ordinal, _) => Keys::Ordinals(0),
        };
        let batch = Batch {
            rows: 0,
            kinds: Vec::with_capacity(MOST_CELLS),
            integers: Vec::new(),
            reals: Vec::new(),
            lengths: Vec::new(),
            bytes: Vec::with_capacity(max_bytes.min(USUAL_BYTES) as usize),
        };
        Self { batch, keys }
    }

    /// Whether no further row may come in.
    pub(super) fn is_full(&self, max_bytes: u32, most_rows: u32) -> bool {
        let cells = self.batch.kinds.len();
        let row = cells / self.batch.rows.max(1) as usize;
        self.batch.rows > 0
            && (cells + row > MOST_CELLS
                || self.batch.bytes.len() >= max_bytes as usize
                || self.batch.rows >= most_rows)
    }

    /// Rows taken in.
    pub(super) fn rows(&self) -> u32 {
        self.batch.rows
    }

    /// The place behind the last row.
    pub(super) fn last_key(&self) -> Option<Key> {
        key_at(&self.keys, self.batch.rows.checked_sub(1)?)
    }

    /// The batch and its keys.
    pub(super) fn finish(self) -> (Batch, Keys) {
        (self.batch, self.keys)
    }

    /// Takes in a row. Where it does not fit with those before it, it comes back as the first row of
    /// the next batch.
    pub(super) fn append(
        &mut self,
        scan: &Scan,
        row: &ScanRows<'_>,
        max_bytes: u32,
    ) -> Option<Self> {
        let before = Marks::of(&self.batch);
        self.append_key(scan, row);
        let mut row_bytes: usize = 0;
        for place in row.places() {
            match *place {
                Place::Plain(at) => self.append_cell(row.cell(at), &mut row_bytes, max_bytes),
                Place::Guarded(at) => match (row.cell(at), row.cell(at + 1)) {
                    // SQLite's values are shorter than 2^31 bytes.
                    (is_text, ValueRef::Integer(length)) => {
                        self.append_long(is_text == ValueRef::Integer(1), length as u32);
                    }
                    (value, _) => self.append_cell(value, &mut row_bytes, max_bytes),
                },
            }
        }
        self.batch.rows += 1;
        let fits = self.batch.rows == 1 || self.batch.bytes.len() <= max_bytes as usize;
        if fits { None } else { Some(self.split_off_last(&before)) }
    }

    fn append_key(&mut self, scan: &Scan, row: &ScanRows<'_>) {
        match (&mut self.keys, &scan.key) {
            (Keys::Rowids(rowids), _) => {
                if let ValueRef::Integer(rowid) = row.cell(0) {
                    rowids.push(rowid);
                }
            }
            (Keys::Primary { bytes, ends }, KeyKind::Primary(columns)) => {
                bytes.push(PRIMARY);
                for column in 0..columns.len() {
                    encode_cell(bytes, row.cell(column));
                }
                ends.push(bytes.len());
            }
            _ => {}
        }
    }

    #[inline]
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

    #[inline]
    fn append_bytes(&mut self, kind: u8, bytes: &[u8], row_bytes: &mut usize, max_bytes: u32) {
        if *row_bytes + bytes.len() > max_bytes as usize {
            return self.append_long(kind == TEXT, bytes.len() as u32);
        }
        *row_bytes += bytes.len();
        self.batch.kinds.push(kind);
        self.batch.lengths.push(bytes.len() as u32);
        self.batch.bytes.extend_from_slice(bytes);
    }

    fn append_long(&mut self, text: bool, length: u32) {
        self.batch.kinds.push(if text { LONG_TEXT } else { LONG_BLOB });
        self.batch.lengths.push(length);
    }

    fn split_off_last(&mut self, before: &Marks) -> Self {
        let batch = &mut self.batch;
        batch.rows -= 1;
        let keys = match &mut self.keys {
            Keys::Rowids(rowids) => Keys::Rowids(rowids.split_off(batch.rows as usize)),
            Keys::Primary { bytes, ends } => {
                ends.truncate(batch.rows as usize);
                let bytes = bytes.split_off(ends.last().copied().unwrap_or(0));
                Keys::Primary { ends: vec![bytes.len()], bytes }
            }
            Keys::Ordinals(first) => Keys::Ordinals(*first + u64::from(batch.rows)),
        };
        let batch = Batch {
            rows: 1,
            kinds: batch.kinds.split_off(before.kinds),
            integers: batch.integers.split_off(before.integers),
            reals: batch.reals.split_off(before.reals),
            lengths: batch.lengths.split_off(before.lengths),
            bytes: batch.bytes.split_off(before.bytes),
        };
        Self { batch, keys }
    }
}

/// The place behind row `row`, counted from 0.
pub(super) fn key_at(keys: &Keys, row: u32) -> Option<Key> {
    match keys {
        Keys::Rowids(rowids) => rowids.get(row as usize).map(|rowid| Key::Rowid(*rowid)),
        Keys::Primary { bytes, ends } => {
            let start =
                row.checked_sub(1).map_or(Some(0), |row| ends.get(row as usize).copied())?;
            Key::decode(bytes.get(start..*ends.get(row as usize)?)?)
        }
        Keys::Ordinals(first) => Some(Key::Ordinal(first + u64::from(row) + 1)),
    }
}

/// How many of the first `rows` rows lie before a place behind one of them.
pub(super) fn place_of(keys: &Keys, rows: u32, key: &Key) -> Option<u32> {
    let place = match (keys, key) {
        (Keys::Rowids(rowids), Key::Rowid(rowid)) => rowids.binary_search(rowid).ok()? + 1,
        (Keys::Primary { bytes, ends }, Key::Primary(_)) => {
            let wanted = key.encode();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let is_wanted = |(start, end): (usize, &usize)| bytes.get(start..*end) == Some(&wanted);
            starts.zip(ends).position(is_wanted)? + 1
        }
        (Keys::Ordinals(first), Key::Ordinal(place)) => {
            usize::try_from(place.checked_sub(*first)?).ok()?
        }
        _ => return None,
    };
    u32::try_from(place).ok().filter(|place| *place <= rows)
}

/// A batch without its first `used` rows, and the keys of the others.
pub(super) fn tail(mut batch: Batch, mut keys: Keys, used: u32, columns: usize) -> (Batch, Keys) {
    let (mut integers, mut reals, mut lengths, mut bytes) = (0, 0, 0, 0);
    let cells = used as usize * columns;
    for kind in batch.kinds.drain(..cells.min(batch.kinds.len())) {
        match kind {
            INTEGER => integers += 1,
            REAL => reals += 1,
            TEXT | BLOB => {
                bytes += batch.lengths.get(lengths).map_or(0, |length| *length as usize);
                lengths += 1;
            }
            LONG_TEXT | LONG_BLOB => lengths += 1,
            _ => {}
        }
    }
    batch.rows -= used;
    batch.integers.drain(..integers);
    batch.reals.drain(..reals);
    batch.lengths.drain(..lengths);
    batch.bytes.drain(..bytes);
    match &mut keys {
        Keys::Rowids(rowids) => drop(rowids.drain(..used as usize)),
        Keys::Primary { bytes, ends } => {
            let start = (used as usize).checked_sub(1).map_or(0, |row| ends[row]);
            bytes.drain(..start);
            ends.drain(..used as usize);
            ends.iter_mut().for_each(|end| *end -= start);
        }
        Keys::Ordinals(first) => *first += u64::from(used),
    }
    (batch, keys)
}

/// How long each array was before a row.
struct Marks {
    kinds: usize,
    integers: usize,
    reals: usize,
    lengths: usize,
    bytes: usize,
}

impl Marks {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_batch_is_what_its_later_rows_hold() {
        // Two columns: (1, 'ab'), (2.5, long), (NULL, x'cd'), (3, 'e').
        let batch = Batch {
            rows: 4,
            kinds: vec![INTEGER, TEXT, REAL, LONG_TEXT, NULL, BLOB, INTEGER, TEXT],
            integers: vec![1, 3],
            reals: vec![2.5],
            lengths: vec![2, 900, 1, 1],
            bytes: b"ab\xcde".to_vec(),
        };
        let keys = |numbers: &[usize]| Keys::Primary {
            bytes: numbers.iter().flat_map(|number| vec![*number as u8; *number]).collect(),
            ends: numbers
                .iter()
                .scan(0, |end, number| {
                    *end += number;
                    Some(*end)
                })
                .collect(),
        };
        for used in 0..=4 {
            let (rest, its_keys) = tail(batch.clone(), keys(&[1, 2, 3, 4]), used, 2);
            let at = used as usize;
            assert_eq!(rest.rows, 4 - used);
            assert_eq!(rest.kinds, batch.kinds[2 * at..]);
            let integers: &[i64] = [&[1, 3][..], &[3], &[3], &[3], &[]][at];
            assert_eq!(rest.integers, integers);
            assert_eq!(rest.reals, if used < 2 { vec![2.5] } else { vec![] });
            assert_eq!(rest.lengths, [2, 900, 1, 1][at..]);
            assert_eq!(rest.bytes, [&b"ab\xcde"[..], b"\xcde", b"\xcde", b"e", b""][at]);
            assert_eq!(format!("{its_keys:?}"), format!("{:?}", keys(&[1, 2, 3, 4][at..])));
        }
    }
}
