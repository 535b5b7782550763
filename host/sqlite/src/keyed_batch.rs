//! A batch with the keys of its rows, as passed from the thread to the cursor, and the reuse of its
//! memory.

use std::sync::Arc;

use crate::cell_kind::{BLOB, INTEGER, LONG_BLOB, LONG_TEXT, REAL, TEXT};
use crate::position::Position;
use crate::row_keys::RowKeys;
use partway_wasmtime::rows::Batch;

/// A batch, with the keys of its rows. Without rows it stands for the end of a table.
#[derive(Debug)]
pub(crate) struct KeyedBatch {
    pub(crate) batch: Arc<Batch>,
    pub(crate) keys: RowKeys,
}

/// A batch that is not read any more. Its memory is used for the next one: it is warm.
pub(crate) struct SpareBatch {
    pub(crate) batch: Batch,
    pub(crate) keys: RowKeys,
}

impl KeyedBatch {
    /// The end of a table.
    pub(crate) fn end() -> Self {
        Self { batch: Arc::new(Batch::default()), keys: RowKeys::Ordinals(0) }
    }

    /// The position after the first `rows` rows, at least one; none where there are fewer.
    pub(crate) fn position_after(&self, rows: u32) -> Option<Position> {
        let row = rows.checked_sub(1).filter(|_| rows <= self.batch.rows)?;
        self.keys.position_after(row)
    }

    /// The batch's memory, unless somebody still reads it.
    pub(crate) fn into_spare(self) -> Option<SpareBatch> {
        Arc::into_inner(self.batch).map(|batch| SpareBatch { batch, keys: self.keys })
    }

    /// Without the first `rows` rows, of so many columns each.
    pub(crate) fn without_first(self, rows: u32, columns: usize) -> Self {
        let batch = Arc::unwrap_or_clone(self.batch);
        let (batch, keys) = without_first(batch, self.keys, rows, columns);
        Self { batch: Arc::new(batch), keys }
    }
}

impl SpareBatch {
    /// The batch without its contents, and the keys' memory.
    pub(crate) fn cleared(self) -> (Batch, RowKeys) {
        let Self { mut batch, keys } = self;
        batch.rows = 0;
        batch.kinds.clear();
        batch.integers.clear();
        batch.reals.clear();
        batch.lengths.clear();
        batch.bytes.clear();
        (batch, keys)
    }
}

fn without_first(
    mut batch: Batch,
    mut keys: RowKeys,
    rows: u32,
    columns: usize,
) -> (Batch, RowKeys) {
    let (mut integers, mut reals, mut lengths, mut bytes) = (0, 0, 0, 0);
    let cells = rows as usize * columns;
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
    batch.rows -= rows;
    batch.integers.drain(..integers);
    batch.reals.drain(..reals);
    batch.lengths.drain(..lengths);
    batch.bytes.drain(..bytes);
    keys.remove_first(rows);
    (batch, keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell_kind::NULL;

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
        let keys = |numbers: &[usize]| RowKeys::PrimaryKeys {
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
            let (rest, its_keys) = without_first(batch.clone(), keys(&[1, 2, 3, 4]), used, 2);
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
