//! Scans opened ahead of their turn. With small tables a host that reads on another thread would be asked and waited for
//! at each of them.

use alloc::collections::VecDeque;

use crate::format::Step;
use crate::pipe::{Rows, RowsError};

/// So many are open at most, beside the one being read. It begins with few, since a table that is large after all takes a
/// batch of the host's memory. When half of them are used up, more are opened.
const MOST: usize = 32;

/// Scans that are open and not read yet, by their steps and in the order of those.
pub(crate) struct OpenScans<C> {
    opened: VecDeque<(u32, Result<C, RowsError>)>,
    /// How many are to be open: more with each table that came in one batch, none behind a larger one.
    wanted: usize,
}

impl<C> OpenScans<C> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { opened: VecDeque::new(), wanted: 0 }
    }

    /// Notes how many batches a table came in.
    pub(crate) fn note(&mut self, batches: u32) {
        self.wanted = if batches <= 1 { MOST.min(2 * self.wanted + 2) } else { 0 };
    }

    /// The scan of a step, if it is open; what was wrong with opening it comes out now, in its turn.
    pub(crate) fn take(&mut self, step: u32) -> Option<Result<C, RowsError>> {
        self.opened.pop_front_if(|(of, _)| *of == step).map(|(_, opened)| opened)
    }

    /// Opens those behind a step, if that is of use.
    pub(crate) fn fill<T>(&mut self, rows: &impl Rows<Cursor = C>, steps: &[Step<T>], step: u32) {
        if self.opened.len() > self.wanted / 2 {
            return;
        }
        let behind = self.opened.back().map_or(step, |(last, _)| *last) as usize + 1;
        for (number, step) in steps.iter().enumerate().skip(behind) {
            if self.opened.len() >= self.wanted {
                break;
            }
            if let Step::Rows(table) = step {
                let opened = rows.scan(&table.table, &table.columns, None);
                self.opened.push_back((number as u32, opened));
            }
        }
    }
}
