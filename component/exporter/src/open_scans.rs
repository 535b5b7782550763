//! Scans opened before their tables are needed. A host that reads on another thread can then read many small
//! tables without a wait at each of them.

use alloc::collections::VecDeque;

use crate::format::Step;
use crate::pipe::{Rows, RowsError};

/// The most scans that are open beside the one being read. The number begins small, since a table that turns
/// out to be large takes a batch of the host's memory. When half of them are used up, more are opened.
const MAX_OPEN: usize = 32;

/// Scans that are open and not read yet, in the order of their steps.
pub(crate) struct OpenScans<C> {
    /// With the number of its step.
    opened: VecDeque<(u32, Result<C, RowsError>)>,
    /// How many should be open: more with each table that fits one batch, none after a larger one.
    wanted: usize,
}

impl<C> OpenScans<C> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { opened: VecDeque::new(), wanted: 0 }
    }

    /// Takes into account that a table took so many batches.
    pub(crate) fn table_read(&mut self, batches: u32) {
        self.wanted = if batches <= 1 { MAX_OPEN.min(2 * self.wanted + 2) } else { 0 };
    }

    /// The scan of a step, if it is open. An error in opening it is returned now, in its turn.
    pub(crate) fn take(&mut self, step: u32) -> Option<Result<C, RowsError>> {
        self.opened.pop_front_if(|(of, _)| *of == step).map(|(_, opened)| opened)
    }

    /// Opens scans of the steps after this one, where that is worth it.
    pub(crate) fn fill<T>(&mut self, rows: &impl Rows<Cursor = C>, steps: &[Step<T>], step: u32) {
        if self.opened.len() > self.wanted / 2 {
            return;
        }
        let next = self.opened.back().map_or(step, |(last, _)| *last) as usize + 1;
        for (number, step) in steps.iter().enumerate().skip(next) {
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
