//! A scan that a slice has left, kept for the next slice: what it had read ahead is not read again.

use super::ahead::Front;
use super::cursor::Cursor;
use super::key::Key;
use super::scan::Scan;

/// A scan between two slices.
pub(super) struct Parked<'c> {
    cursor: Cursor<'c>,
    front: Front,
}

impl<'c> Parked<'c> {
    /// Keeps a scan that is closed, if there is use in it.
    pub(super) fn new(mut cursor: Cursor<'c>, front: Front) -> Option<Self> {
        cursor.forget_value();
        (front.has_begun() && !cursor.has_failed()).then_some(Self { cursor, front })
    }

    /// The scan, gone on with behind `key`. None where it is of another table or another place.
    pub(super) fn go_on(mut self, scan: &Scan, key: &Key) -> Option<(Cursor<'c>, Front)> {
        let goes_on = self.cursor.scans_same(scan) && self.front.go_on(key, scan.columns.len());
        goes_on.then_some((self.cursor, self.front))
    }
}
