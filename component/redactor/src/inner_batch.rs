//! A batch as it came, read row by row.

use alloc::string::String;
use alloc::vec::Vec;

use crate::rows::{Batch, RowsError};

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
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

    /// Reads the cells of the row at a place, and goes past it.
    pub(crate) fn read_row<'a>(
        &'a self,
        at: &mut Place,
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<(), RowsError> {
        cells.clear();
        let from = at.row * self.columns;
        let kinds = self.batch.kinds.get(from..from + self.columns).ok_or_else(malformed)?;
        for kind in kinds {
            cells.push(self.cell(*kind, at).ok_or_else(malformed)?);
        }
        at.row += 1;
        Ok(())
    }

    fn cell(&self, kind: u8, at: &mut Place) -> Option<Cell<'_>> {
        Some(match kind {
            1 => Cell::Integer(*take(&self.batch.integers, &mut at.integers)?),
            2 => Cell::Real(*take(&self.batch.reals, &mut at.reals)?),
            3 => Cell::Text(self.bytes(at)?),
            4 => Cell::Blob(self.bytes(at)?),
            5 => Cell::Null,
            6 | 7 => {
                let length = *take(&self.batch.lengths, &mut at.lengths)?;
                Cell::Long { is_text: kind == 6, length }
            }
            _ => return None,
        })
    }

    fn bytes(&self, at: &mut Place) -> Option<&[u8]> {
        let length = *take(&self.batch.lengths, &mut at.lengths)? as usize;
        let bytes = self.batch.bytes.get(at.bytes..at.bytes.checked_add(length)?)?;
        at.bytes += length;
        Some(bytes)
    }
}

fn take<'a, T>(values: &'a [T], at: &mut usize) -> Option<&'a T> {
    let value = values.get(*at)?;
    *at += 1;
    Some(value)
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
        inner.read_row(&mut at, &mut cells).unwrap();
        assert_eq!(cells, [Cell::Integer(-7), Cell::Text(b"ab"), Cell::Null]);
        inner.read_row(&mut at, &mut cells).unwrap();
        let long = Cell::Long { is_text: false, length: 9_000_000 };
        assert_eq!(cells, [Cell::Real(0.5), Cell::Blob(b"c"), long]);
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
