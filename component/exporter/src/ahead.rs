//! Scans opened ahead of their turn. With small tables a host that reads on another thread would be asked and waited for
//! at each of them.

use alloc::collections::VecDeque;

use crate::plan::{Plan, Step};
use crate::{Rows, RowsError};

/// So many are open at most, beside the one being read. When half of them are used up, more are opened.
const MOST: usize = 32;

/// Scans that are open and not read yet, by their steps and in the order of those.
pub(crate) struct Ahead<C> {
    opened: VecDeque<(u32, Result<C, RowsError>)>,
    /// Whether the last table came in one batch. With large tables nothing is won.
    tables_are_small: bool,
}

impl<C> Ahead<C> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { opened: VecDeque::new(), tables_are_small: false }
    }

    /// Notes how many batches a table came in.
    pub(crate) fn note(&mut self, batches: u32) {
        self.tables_are_small = batches <= 1;
    }

    /// The scan of a step, if it is open; what was wrong with opening it comes out now, in its turn.
    pub(crate) fn take(&mut self, step: u32) -> Option<Result<C, RowsError>> {
        self.opened.pop_front_if(|(of, _)| *of == step).map(|(_, opened)| opened)
    }

    /// Opens those behind a step, if that is of use.
    pub(crate) fn fill(&mut self, rows: &impl Rows<Cursor = C>, plan: &Plan, step: u32) {
        if !self.tables_are_small || self.opened.len() > MOST / 2 {
            return;
        }
        let behind = self.opened.back().map_or(step, |(last, _)| *last) as usize + 1;
        for (number, step) in plan.steps.iter().enumerate().skip(behind) {
            if self.opened.len() == MOST {
                break;
            }
            if let Step::Rows(table) = step {
                let opened = rows.scan(&table.table, &table.columns, None);
                self.opened.push_back((number as u32, opened));
            }
        }
    }
}
