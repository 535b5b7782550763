//! A cursor as a resource of the component model.

use std::sync::Arc;

use crate::rows::{Batch, Cursor};
use crate::weight;

/// A cursor that a component holds, in the store's resource table.
pub struct CursorResource {
    pub(crate) cursor: Box<dyn Cursor>,
    batch: BatchWeight,
}

/// What is known of the last batch of a cursor, so that its rows are counted as the component gets to them.
#[derive(Default)]
struct BatchWeight {
    rows: u32,
    cells: usize,
    weight: u64,
    /// How much of the weight is counted.
    counted: u64,
    /// Its long blobs, by their place among its cells.
    long_blobs: Vec<usize>,
}

impl CursorResource {
    pub(crate) fn new(cursor: Box<dyn Cursor>) -> Self {
        Self { cursor, batch: BatchWeight::default() }
    }

    /// The component has asked for this batch: it is done with the one before, whose weight not counted yet is returned.
    pub(crate) fn next(&mut self, batch: &Arc<Batch>) -> u64 {
        let before = std::mem::replace(
            &mut self.batch,
            BatchWeight {
                rows: batch.rows,
                cells: batch.kinds.len(),
                weight: weight::of_batch(batch),
                counted: 0,
                long_blobs: weight::long_blobs(batch),
            },
        );
        before.weight - before.counted
    }

    /// The component has come to the end of the first `rows` rows of the batch. Their weight not counted yet.
    pub(crate) fn reach(&mut self, rows: u32) -> u64 {
        let BatchWeight { rows: all, weight, counted, .. } = &mut self.batch;
        let share = f64::from(rows.min(*all)) / f64::from((*all).max(1));
        let reached = ((*weight as f64 * share) as u64).clamp(*counted, *weight);
        reached - std::mem::replace(counted, reached)
    }

    /// Whether a long cell is a blob.
    pub(crate) fn is_blob(&self, row: u32, column: u32) -> bool {
        let columns = self.batch.cells / (self.batch.rows as usize).max(1);
        let cell = (row as usize).saturating_mul(columns).saturating_add(column as usize);
        self.batch.long_blobs.binary_search(&cell).is_ok()
    }
}
