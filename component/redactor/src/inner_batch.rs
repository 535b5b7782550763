//! A batch as it came, read row by row.

use alloc::string::String;
use alloc::vec::Vec;

use partway_rows::{Batch, RowsError};

/// Where a cell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// Its code in `kinds`.
    pub(crate) kind: u8,
    /// Where it begins in the array of its kind; nothing for NULL and long values.
    pub(crate) at: usize,
    /// Of texts and blobs, in bytes.
    pub(crate) length: u32,
}

/// What is in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    /// A value of so many bytes that is not in the batch.
    Long {
        is_text: bool,
        length: u32,
    },
}

/// Where each of a batch's arrays is to be read next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    row: usize,
    integers: usize,
    reals: usize,
    lengths: usize,
    bytes: usize,
}

impl Place {
    /// How many rows are before it.
    pub(crate) fn row(self) -> u32 {
        self.row as u32
    }
}

/// A batch with so many columns.
#[derive(Debug, Default)]
pub(crate) struct InnerBatch {
    batch: Batch,
    columns: usize,
}

impl InnerBatch {
    /// Checks that there are kinds for all cells.
    pub(crate) fn new(batch: Batch, columns: usize) -> Result<Self, RowsError> {
        if (batch.rows as usize).checked_mul(columns) != Some(batch.kinds.len()) {
            return Err(malformed());
        }
        Ok(Self { batch, columns })
    }

    /// Whether there is no row at a place.
    pub(crate) fn is_end(&self, at: Place) -> bool {
        at.row >= self.batch.rows as usize
    }

    /// As it came.
    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Finds the cells of the row at a place, and goes past it.
    pub(crate) fn read_row(
        &self,
        place: &mut Place,
        cells: &mut Vec<Cell>,
    ) -> Result<(), RowsError> {
        cells.clear();
        let from = place.row * self.columns;
        let kinds = self.batch.kinds.get(from..from + self.columns).ok_or_else(malformed)?;
        for kind in kinds {
            let (mut at, mut length) = (0, 0);
            match kind {
                1 => at = next(&mut place.integers, 1),
                2 => at = next(&mut place.reals, 1),
                3 | 4 => {
                    length = self.length(place)?;
                    at = next(&mut place.bytes, length as usize);
                }
                5 => {}
                6 | 7 => length = self.length(place)?,
                _ => return Err(malformed()),
            }
            cells.push(Cell { kind: *kind, at, length });
        }
        place.row += 1;
        let batch = &self.batch;
        let is_there = place.integers <= batch.integers.len()
            && place.reals <= batch.reals.len()
            && place.bytes <= batch.bytes.len();
        is_there.then_some(()).ok_or_else(malformed)
    }

    fn length(&self, place: &mut Place) -> Result<u32, RowsError> {
        let at = next(&mut place.lengths, 1);
        self.batch.lengths.get(at).copied().ok_or_else(malformed)
    }

    /// What is in a cell.
    pub(crate) fn value(&self, cell: Cell) -> Result<Value<'_>, RowsError> {
        let bytes = || self.batch.bytes.get(cell.at..cell.at + cell.length as usize);
        let value = match cell.kind {
            1 => self.batch.integers.get(cell.at).map(|value| Value::Integer(*value)),
            2 => self.batch.reals.get(cell.at).map(|value| Value::Real(*value)),
            3 => bytes().map(Value::Text),
            4 => bytes().map(Value::Blob),
            5 => Some(Value::Null),
            kind => Some(Value::Long { is_text: kind == 6, length: cell.length }),
        };
        value.ok_or_else(malformed)
    }
}

/// Goes so far, and returns where it was.
fn next(at: &mut usize, by: usize) -> usize {
    let before = *at;
    *at = before.saturating_add(by);
    before
}

pub(crate) fn malformed() -> RowsError {
    RowsError::Failed(String::from("a batch of rows is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_in_the_order_of_their_kinds() {
        let batch = Batch {
            rows: 2,
            kinds: vec![1, 3, 5, 2, 4, 7],
            integers: vec![-7],
            reals: vec![0.5],
            lengths: vec![2, 1, 9_000_000],
            bytes: b"abc".to_vec(),
        };
        let inner = InnerBatch::new(batch.clone(), 3).unwrap();
        let (mut at, mut cells) = (Place::default(), Vec::new());
        let mut row = || {
            inner.read_row(&mut at, &mut cells).unwrap();
            let values = cells.iter().map(|cell| inner.value(*cell).unwrap());
            values.collect::<Vec<_>>()
        };
        assert_eq!(row(), [Value::Integer(-7), Value::Text(b"ab"), Value::Null]);
        let long = Value::Long { is_text: false, length: 9_000_000 };
        assert_eq!(row(), [Value::Real(0.5), Value::Blob(b"c"), long]);
        assert!(inner.is_end(at));

        for broken in [
            Batch { kinds: vec![1; 5], ..batch.clone() },
            Batch { kinds: vec![8; 6], ..batch.clone() },
            Batch { lengths: vec![u32::MAX], ..batch.clone() },
            Batch { integers: vec![], ..batch },
        ] {
            let read = InnerBatch::new(broken, 3).and_then(|inner| {
                let (mut at, mut cells) = (Place::default(), Vec::new());
                inner.read_row(&mut at, &mut cells)?;
                inner.read_row(&mut at, &mut cells)
            });
            assert!(matches!(read, Err(RowsError::Failed(_))));
        }
    }
}
