//! A batch that is made of another one's cells and of new ones.

use alloc::vec::Vec;

use crate::inner_batch::{Cell, InnerBatch};
use partway_rows::Batch;

/// Makes a batch. Most cells stay as they are: those that follow each other in the inner batch are copied together.
pub(crate) struct BatchBuilder<'a> {
    inner: &'a Batch,
    batch: Batch,
    pending: Pending,
    /// Bytes of texts and blobs, with those that are pending.
    size: usize,
}

/// What is to be copied from each array of the inner batch.
#[derive(Clone, Copy, Default)]
struct Pending {
    integers: Run,
    reals: Run,
    bytes: Run,
}

/// Elements that follow each other.
#[derive(Clone, Copy, Default)]
struct Run {
    from: usize,
    to: usize,
}

impl Run {
    /// Adds elements; those before them are copied now, unless these follow them.
    fn add<T: Copy>(&mut self, at: usize, count: usize, source: &[T], into: &mut Vec<T>) {
        if self.to != at {
            self.copy(source, into);
            self.from = at;
        }
        self.to = at + count;
    }

    fn copy<T: Copy>(&mut self, source: &[T], into: &mut Vec<T>) {
        into.extend_from_slice(source.get(self.from..self.to).unwrap_or_default());
        self.from = self.to;
    }
}

/// How far a batch was made.
pub(crate) struct Progress {
    kinds: usize,
    integers: usize,
    reals: usize,
    lengths: usize,
    bytes: usize,
    pending: Pending,
    size: usize,
}

impl<'a> BatchBuilder<'a> {
    /// Nothing, with room for about as much as the inner batch has.
    pub(crate) fn new(inner: &'a InnerBatch) -> Self {
        let inner = inner.batch();
        let batch = Batch {
            rows: 0,
            kinds: Vec::with_capacity(inner.kinds.len()),
            integers: Vec::with_capacity(inner.integers.len()),
            reals: Vec::with_capacity(inner.reals.len()),
            lengths: Vec::with_capacity(inner.lengths.len()),
            bytes: Vec::with_capacity(inner.bytes.len()),
        };
        Self { inner, batch, pending: Pending::default(), size: 0 }
    }

    /// Its rows so far.
    pub(crate) fn rows(&self) -> u32 {
        self.batch.rows
    }

    /// Its cells so far.
    pub(crate) fn cells(&self) -> usize {
        self.batch.kinds.len()
    }

    /// Its bytes of texts and blobs so far, without long ones.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Ends a row.
    pub(crate) fn end_row(&mut self) {
        self.batch.rows += 1;
    }

    /// Where it is now.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            kinds: self.batch.kinds.len(),
            integers: self.batch.integers.len(),
            reals: self.batch.reals.len(),
            lengths: self.batch.lengths.len(),
            bytes: self.batch.bytes.len(),
            pending: self.pending,
            size: self.size,
        }
    }

    /// Takes back the cells since then.
    pub(crate) fn back_to(&mut self, progress: Progress) {
        self.batch.kinds.truncate(progress.kinds);
        self.batch.integers.truncate(progress.integers);
        self.batch.reals.truncate(progress.reals);
        self.batch.lengths.truncate(progress.lengths);
        self.batch.bytes.truncate(progress.bytes);
        self.pending = progress.pending;
        self.size = progress.size;
    }

    /// NULL.
    pub(crate) fn null(&mut self) {
        self.batch.kinds.push(5);
    }

    /// An integer.
    pub(crate) fn integer(&mut self, value: i64) {
        self.batch.kinds.push(1);
        self.pending.integers.copy(&self.inner.integers, &mut self.batch.integers);
        self.batch.integers.push(value);
    }

    /// A float.
    pub(crate) fn real(&mut self, value: f64) {
        self.batch.kinds.push(2);
        self.pending.reals.copy(&self.inner.reals, &mut self.batch.reals);
        self.batch.reals.push(value);
    }

    /// A text or blob, of the kind 3 or 4.
    pub(crate) fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.batch.kinds.push(kind);
        self.batch.lengths.push(bytes.len() as u32);
        self.pending.bytes.copy(&self.inner.bytes, &mut self.batch.bytes);
        self.batch.bytes.extend_from_slice(bytes);
        self.size += bytes.len();
    }

    /// A long text or blob, of the kind 6 or 7.
    pub(crate) fn long(&mut self, kind: u8, length: u32) {
        self.batch.kinds.push(kind);
        self.batch.lengths.push(length);
    }

    /// A cell of the inner batch, as it is there.
    pub(crate) fn kept(&mut self, cell: Cell) {
        self.batch.kinds.push(cell.kind);
        match cell.kind {
            1 => self.pending.integers.add(
                cell.at,
                1,
                &self.inner.integers,
                &mut self.batch.integers,
            ),
            2 => self.pending.reals.add(cell.at, 1, &self.inner.reals, &mut self.batch.reals),
            3 | 4 => {
                let length = cell.length as usize;
                self.batch.lengths.push(cell.length);
                self.size += length;
                self.pending.bytes.add(cell.at, length, &self.inner.bytes, &mut self.batch.bytes);
            }
            6 | 7 => self.batch.lengths.push(cell.length),
            _ => {}
        }
    }

    /// The batch.
    pub(crate) fn finish(mut self) -> Batch {
        self.pending.integers.copy(&self.inner.integers, &mut self.batch.integers);
        self.pending.reals.copy(&self.inner.reals, &mut self.batch.reals);
        self.pending.bytes.copy(&self.inner.bytes, &mut self.batch.bytes);
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inner_batch::Place;

    fn inner() -> InnerBatch {
        let batch = Batch {
            rows: 2,
            kinds: vec![1, 3, 2, 4, 1, 3, 5, 7],
            integers: vec![-7, 8],
            reals: vec![0.5],
            lengths: vec![2, 1, 3, 9_000_000],
            bytes: b"abcdef".to_vec(),
        };
        InnerBatch::new(batch, 4).unwrap()
    }

    /// Rows whose cells are those of these columns, or none: a new text.
    fn made(columns: &[Option<usize>]) -> Batch {
        let inner = inner();
        let mut builder = BatchBuilder::new(&inner);
        let (mut at, mut cells) = (Place::default(), Vec::new());
        while !inner.is_end(at) {
            inner.read_row(&mut at, &mut cells).unwrap();
            for column in columns {
                match column {
                    Some(column) => builder.kept(cells[*column]),
                    None => builder.bytes(3, b"***"),
                }
            }
            builder.end_row();
        }
        assert_eq!(builder.size(), builder.size);
        builder.finish()
    }

    #[test]
    fn what_is_kept_whole_is_the_same() {
        assert_eq!(&made(&[Some(0), Some(1), Some(2), Some(3)]), inner().batch());
    }

    #[test]
    fn cells_may_be_left_out_replaced_and_in_another_order() {
        let batch = made(&[Some(3), None, Some(1), Some(0), Some(1)]);
        assert_eq!(batch.kinds, [4, 3, 3, 1, 3, 7, 3, 3, 1, 3]);
        assert_eq!(batch.integers, [-7, 8]);
        assert!(batch.reals.is_empty());
        assert_eq!(batch.lengths, [1, 3, 2, 2, 9_000_000, 3, 3, 3]);
        assert_eq!(batch.bytes, b"c***abab***defdef");
    }

    #[test]
    fn cells_are_taken_back_wherever_they_are() {
        let inner = inner();
        let (mut at, mut cells) = (Place::default(), Vec::new());
        inner.read_row(&mut at, &mut cells).unwrap();
        for kept_before in 0..4 {
            let mut builder = BatchBuilder::new(&inner);
            for cell in &cells[..kept_before] {
                builder.kept(*cell);
            }
            let progress = builder.progress();
            for cell in &cells[kept_before..] {
                builder.kept(*cell);
            }
            builder.integer(1);
            builder.real(1.0);
            builder.bytes(4, b"new");
            builder.long(6, 10);
            builder.null();
            builder.back_to(progress);
            for cell in &cells[kept_before..] {
                builder.kept(*cell);
            }
            builder.end_row();
            assert_eq!(builder.size(), 3);
            let batch = builder.finish();
            assert_eq!(batch.kinds, [1, 3, 2, 4], "{kept_before}");
            assert_eq!((batch.integers, batch.reals), (vec![-7], vec![0.5]), "{kept_before}");
            assert_eq!(
                (batch.lengths, batch.bytes),
                (vec![2, 1], b"abc".to_vec()),
                "{kept_before}"
            );
        }
    }
}
