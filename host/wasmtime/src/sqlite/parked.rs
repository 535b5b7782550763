//! A scan that a slice has left, kept for the next slice: what it had read ahead is not read again.

use super::batch::{Keys, place_of};
use super::cursor::Cursor;
use super::key::Key;
use super::scan::Scan;

/// The batch that was handed out last, in which the next slice is likely to begin.
pub(super) struct LastBatch {
    /// Where it begins.
    pub(super) before: Key,
    pub(super) rows: u32,
    pub(super) keys: Keys,
}

/// A scan between two slices.
pub(super) struct Parked<'c> {
    cursor: Cursor<'c>,
    last: LastBatch,
}

impl<'c> Parked<'c> {
    /// Keeps a scan that is closed, if there is use in it.
    pub(super) fn new(cursor: Cursor<'c>, last: LastBatch) -> Option<Self> {
        cursor.is_well().then_some(Self { cursor, last })
    }

    /// The scan, gone on with behind `key`: only rows of the last batch are read again. None where it is of
    /// another table or another place.
    pub(super) fn go_on(mut self, scan: &Scan, key: &Key) -> Option<Cursor<'c>> {
        if !self.cursor.scans_same(scan) {
            return None;
        }
        self.cursor.begin_slice();
        let LastBatch { before, rows, keys } = self.last;
        let used = if *key == before { 0 } else { place_of(&keys, rows, key)? };
        let rest = rows - used;
        (rest == 0 || self.cursor.hand_out_again(scan, key, keys, rest)).then_some(self.cursor)
    }
}
