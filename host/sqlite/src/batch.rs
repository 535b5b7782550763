//! Filling a batch from SQLite's rows.

use rusqlite::types::ValueRef;

use crate::key::{Key, PRIMARY, encode_cell};
use crate::scan::{KeyKind, Place, Scan, ScanRows};
use partway_wasmtime::rows::Batch;

/// The contract's bound on the cells of a batch that holds more than one row.
const MOST_CELLS: usize = 32_768;

const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const NULL: u8 = 5;
const LONG_TEXT: u8 = 6;
const LONG_BLOB: u8 = 7;

/// The keys of a batch's rows.
#[derive(Debug)]
pub(crate) enum Keys {
    Rowids(Vec<i64>),
    /// Encoded as positions, back to back, with where each ends.
    Primary {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    /// Counted from the start of the table; the first row's number.
    Ordinals(u64),
}

impl Keys {
    /// The bytes that they take, where that is not the same for all: a key may hold a long value.
    #[inline]
    fn bytes(&self) -> usize {
        match self {
            Self::Primary { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// A batch in the making, with the key of each of its rows.
pub(crate) struct Builder {
    batch: Batch,
    keys: Keys,
    /// With more than so many cells there is no room for a row.
    most_cells: usize,
}

impl Builder {
    /// An empty batch of a table; `before` is where it begins. A batch that was used before gives its memory, which is
    /// warm.
    pub(crate) fn new(scan: &Scan, before: &Key, used: Option<(Batch, Keys)>) -> Self {
        let (batch, used) = used.unzip();
        let batch = batch.map_or_else(empty, cleared);
        let keys = match (&scan.key, before, used) {
            (KeyKind::Rowid(_), _, Some(Keys::Rowids(mut rowids))) => {
                rowids.clear();
                Keys::Rowids(rowids)
            }
            (KeyKind::Rowid(_), ..) => Keys::Rowids(Vec::new()),
            (KeyKind::Primary(_), _, Some(Keys::Primary { mut bytes, mut ends })) => {
                bytes.clear();
                ends.clear();
                Keys::Primary { bytes, ends }
            }
            (KeyKind::Primary(_), ..) => Keys::Primary { bytes: Vec::new(), ends: Vec::new() },
            (KeyKind::Ordinal, Key::Ordinal(rows), _) => Keys::Ordinals(*rows),
            (KeyKind::Ordinal, ..) => Keys::Ordinals(0),
        };
        Self { batch, keys, most_cells: MOST_CELLS.saturating_sub(scan.columns.len()) }
    }

    /// Whether no further row may come in.
    #[inline]
    pub(crate) fn is_full(&self, max_bytes: u32) -> bool {
        self.batch.rows > 0
            && (self.batch.kinds.len() > self.most_cells
                || self.batch.bytes.len() >= max_bytes as usize
                || self.keys.bytes() >= max_bytes as usize)
    }

    /// Rows taken in.
    pub(crate) fn rows(&self) -> u32 {
        self.batch.rows
    }

    /// The place behind the last row.
    pub(crate) fn last_key(&self) -> Option<Key> {
        key_at(&self.keys, self.batch.rows.checked_sub(1)?)
    }

    /// The batch and its keys.
    pub(crate) fn finish(self) -> (Batch, Keys) {
        (self.batch, self.keys)
    }

    /// Takes in a row. Where it does not fit with those before it, it comes back as the first row of
    /// the next batch.
    pub(crate) fn append(
        &mut self,
        scan: &Scan,
        row: &ScanRows<'_>,
        max_bytes: u32,
        used: impl FnOnce() -> Option<(Batch, Keys)>,
    ) -> Option<Self> {
        let before = Marks::of(&self.batch);
        let mut row_bytes: usize = 0;
        if let Some((statement, places)) = row.plain() {
            for place in places {
                self.append_cell(statement.cell(*place), &mut row_bytes, max_bytes);
            }
        } else {
            self.append_guarded(row, &mut row_bytes, max_bytes);
        }
        self.append_key(scan, row, &before);
        self.batch.rows += 1;
        let fits = self.batch.rows == 1 || self.batch.bytes.len() <= max_bytes as usize;
        if fits {
            return None;
        }
        let next = Self::new(scan, &Key::Start, used());
        Some(self.move_last(&before, next))
    }

    /// Takes in the cells of a row some of which may be long, or which come from several statements.
    #[inline(never)]
    fn append_guarded(&mut self, row: &ScanRows<'_>, row_bytes: &mut usize, max_bytes: u32) {
        for place in row.places() {
            match *place {
                Place::Plain(at) => self.append_cell(row.cell(at), row_bytes, max_bytes),
                Place::Guarded(at) => match (row.cell(at), row.cell(at + 1)) {
                    // SQLite's values are shorter than 2^31 bytes.
                    (is_text, ValueRef::Integer(length)) => {
                        self.append_long(is_text == ValueRef::Integer(1), length as u32);
                    }
                    (value, _) => self.append_cell(value, row_bytes, max_bytes),
                },
            }
        }
    }

    #[inline]
    fn append_key(&mut self, scan: &Scan, row: &ScanRows<'_>, before: &Marks) {
        match (&mut self.keys, &scan.key) {
            (Keys::Rowids(rowids), _) => {
                // It is most often the row's first cell, and so was just taken in.
                let rowid = match row.places().first() {
                    Some(Place::Plain(0)) => self.batch.integers.get(before.integers).copied(),
                    _ => row.cell(0).as_i64().ok(),
                };
                rowids.extend(rowid);
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

    /// Moves the last row to an empty batch behind this one.
    fn move_last(&mut self, before: &Marks, mut to: Self) -> Self {
        let (from, to_batch) = (&mut self.batch, &mut to.batch);
        from.rows -= 1;
        to_batch.rows = 1;
        move_from(&mut from.kinds, before.kinds, &mut to_batch.kinds);
        move_from(&mut from.integers, before.integers, &mut to_batch.integers);
        move_from(&mut from.reals, before.reals, &mut to_batch.reals);
        move_from(&mut from.lengths, before.lengths, &mut to_batch.lengths);
        move_from(&mut from.bytes, before.bytes, &mut to_batch.bytes);
        let rows = from.rows as usize;
        match (&mut self.keys, &mut to.keys) {
            (Keys::Rowids(from), Keys::Rowids(to)) => move_from(from, rows, to),
            (Keys::Primary { bytes, ends }, Keys::Primary { bytes: to_bytes, ends: to_ends }) => {
                ends.truncate(rows);
                move_from(bytes, ends.last().copied().unwrap_or(0), to_bytes);
                to_ends.push(to_bytes.len());
            }
            (Keys::Ordinals(first), to) => *to = Keys::Ordinals(*first + rows as u64),
            _ => {}
        }
        to
    }
}

fn move_from<T: Copy>(from: &mut Vec<T>, start: usize, to: &mut Vec<T>) {
    to.extend_from_slice(&from[start..]);
    from.truncate(start);
}

/// A batch of nothing.
pub(crate) fn empty() -> Batch {
    Batch {
        rows: 0,
        kinds: Vec::new(),
        integers: Vec::new(),
        reals: Vec::new(),
        lengths: Vec::new(),
        bytes: Vec::new(),
    }
}

fn cleared(mut batch: Batch) -> Batch {
    batch.rows = 0;
    batch.kinds.clear();
    batch.integers.clear();
    batch.reals.clear();
    batch.lengths.clear();
    batch.bytes.clear();
    batch
}

/// The place behind row `row`, counted from 0.
pub(crate) fn key_at(keys: &Keys, row: u32) -> Option<Key> {
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
pub(crate) fn place_of(keys: &Keys, rows: u32, key: &Key) -> Option<u32> {
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
pub(crate) fn tail(mut batch: Batch, mut keys: Keys, used: u32, columns: usize) -> (Batch, Keys) {
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
