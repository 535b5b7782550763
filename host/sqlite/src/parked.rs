//! A scan that a slice has left, kept for the next slice: what it had read ahead is not read again.

use std::sync::Arc;

use crate::ahead::Front;
use crate::key::Key;
use crate::scan::Scan;

/// A scan between two slices.
pub(crate) struct Parked {
    /// Its number.
    pub(crate) cursor: u64,
    scan: Arc<Scan>,
    front: Front,
    /// As many reads had been ended when it was opened.
    interrupts: u32,
}

impl Parked {
    /// Keeps a scan that is closed, if there is use in it.
    pub(crate) fn new(
        cursor: u64,
        scan: &Arc<Scan>,
        front: Front,
        interrupts: u32,
    ) -> Option<Self> {
        front.has_begun().then(|| Self { cursor, scan: scan.clone(), front, interrupts })
    }

    /// The queue, gone on with behind `key`. None where it is of another table or another place, and where reading has
    /// failed or was ended meanwhile.
    pub(crate) fn go_on(mut self, scan: &Scan, key: &Key, interrupts: u32) -> Option<Front> {
        let goes_on = self.interrupts == interrupts
            && !self.front.has_failed()
            && self.scan.reads_same(scan)
            && self.front.go_on(key, scan.columns.len());
        goes_on.then_some(self.front)
    }
}
