//! A scan that one slice has closed, kept for the next: what was read ahead is not read again.

use std::sync::Arc;

use crate::batch_queue::BatchReceiver;
use crate::position::Position;
use crate::table_query::TableQuery;

/// A scan between two slices.
pub(crate) struct PausedScan {
    /// Its cursor's number.
    pub(crate) cursor: u64,
    query: Arc<TableQuery>,
    batches: BatchReceiver,
    /// How many interruptions there had been when it was opened.
    interruptions: u32,
}

impl PausedScan {
    /// Keeps a scan whose cursor is closed; none where that is of no use.
    pub(crate) fn new(
        cursor: u64,
        query: &Arc<TableQuery>,
        batches: BatchReceiver,
        interruptions: u32,
    ) -> Option<Self> {
        let query = query.clone();
        batches.has_last_batch().then_some(Self { cursor, query, batches, interruptions })
    }

    /// Its queue, continued after a position. None where the scan is of another table or other columns, where
    /// the position is not in its last batch, and where reading has failed or has been interrupted.
    pub(crate) fn resume(
        mut self,
        query: &TableQuery,
        after: &Position,
        interruptions: u32,
    ) -> Option<BatchReceiver> {
        let resumes = self.interruptions == interruptions
            && !self.batches.has_failed()
            && self.query.reads_same(query)
            && self.batches.resume(after, query.columns.len());
        resumes.then_some(self.batches)
    }
}
