//! The keys of a batch's rows, from which positions are built.

use crate::key_order::KeyOrder;
use crate::position::Position;

/// The key of each row of a batch.
#[derive(Debug)]
pub(crate) enum RowKeys {
    Rowids(Vec<i64>),
    /// Encoded as positions, back to back, with where each ends.
    PrimaryKeys {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    /// Consecutive row numbers, counted from 0 at the start of the table: the number of the first row.
    Ordinals(u64),
}

impl RowKeys {
    /// No keys yet, of rows in this order that come after a position. `spare`: memory to use again.
    pub(crate) fn new(order: &KeyOrder, after: &Position, spare: Option<Self>) -> Self {
        match (order, after, spare) {
            (KeyOrder::Rowid(_), _, Some(Self::Rowids(mut rowids))) => {
                rowids.clear();
                Self::Rowids(rowids)
            }
            (KeyOrder::Rowid(_), ..) => Self::Rowids(Vec::new()),
            (KeyOrder::PrimaryKey(_), _, Some(Self::PrimaryKeys { mut bytes, mut ends })) => {
                bytes.clear();
                ends.clear();
                Self::PrimaryKeys { bytes, ends }
            }
            (KeyOrder::PrimaryKey(_), ..) => {
                Self::PrimaryKeys { bytes: Vec::new(), ends: Vec::new() }
            }
            (KeyOrder::Ordinal, Position::Ordinal(rows), _) => Self::Ordinals(*rows),
            (KeyOrder::Ordinal, ..) => Self::Ordinals(0),
        }
    }

    /// The bytes of primary keys, which may hold long values; 0 for keys of a fixed size.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::PrimaryKeys { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// The position right after row `row`, counted from 0.
    pub(crate) fn position_after(&self, row: u32) -> Option<Position> {
        match self {
            Self::Rowids(rowids) => rowids.get(row as usize).map(|rowid| Position::Rowid(*rowid)),
            Self::PrimaryKeys { bytes, ends } => {
                let start =
                    row.checked_sub(1).map_or(Some(0), |row| ends.get(row as usize).copied())?;
                Position::decode(bytes.get(start..*ends.get(row as usize)?)?)
            }
            Self::Ordinals(first) => Some(Position::Ordinal(first + u64::from(row) + 1)),
        }
    }

    /// How many of the first `rows` rows lie before a position right after one of them.
    pub(crate) fn rows_before(&self, position: &Position, rows: u32) -> Option<u32> {
        let before = match (self, position) {
            (Self::Rowids(rowids), Position::Rowid(rowid)) => rowids.binary_search(rowid).ok()? + 1,
            (Self::PrimaryKeys { bytes, ends }, Position::PrimaryKey(_)) => {
                let wanted = position.encode();
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let is_wanted =
                    |(start, end): (usize, &usize)| bytes.get(start..*end) == Some(&wanted);
                starts.zip(ends).position(is_wanted)? + 1
            }
            (Self::Ordinals(first), Position::Ordinal(rows)) => {
                usize::try_from(rows.checked_sub(*first)?).ok()?
            }
            _ => return None,
        };
        u32::try_from(before).ok().filter(|before| *before <= rows)
    }

    /// Removes the keys of the first `rows` rows.
    pub(crate) fn remove_first(&mut self, rows: u32) {
        match self {
            Self::Rowids(rowids) => drop(rowids.drain(..rows as usize)),
            Self::PrimaryKeys { bytes, ends } => {
                let start = (rows as usize).checked_sub(1).map_or(0, |row| ends[row]);
                bytes.drain(..start);
                ends.drain(..rows as usize);
                ends.iter_mut().for_each(|end| *end -= start);
            }
            Self::Ordinals(first) => *first += u64::from(rows),
        }
    }

    /// Moves the keys of all rows but the first `rows`, at most one, to the end of others.
    pub(crate) fn move_rest(&mut self, rows: usize, to: &mut Self) {
        match (self, to) {
            (Self::Rowids(from), Self::Rowids(to)) => {
                to.extend_from_slice(&from[rows..]);
                from.truncate(rows);
            }
            (Self::PrimaryKeys { bytes, ends }, Self::PrimaryKeys { bytes: to, ends: to_ends }) => {
                ends.truncate(rows);
                let start = ends.last().copied().unwrap_or(0);
                to.extend_from_slice(&bytes[start..]);
                bytes.truncate(start);
                to_ends.push(to.len());
            }
            (Self::Ordinals(first), to) => *to = Self::Ordinals(*first + rows as u64),
            _ => {}
        }
    }
}
