//! How the state of a database is kept during an export: held or copied.

use partway_sqlite::Snapshot;
use serde::{Deserialize, Serialize};

/// How the state of the database is kept during an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotMode {
    /// Hold in WAL mode, where writers continue; otherwise hold for exports that take seconds, and copy for others
    Auto,
    /// Read in one transaction: in WAL mode the log grows meanwhile, otherwise writers wait
    Hold,
    /// Copy the database to the state folder first: writers wait only while it is copied, and an
    /// interrupted export can be resumed even if the database has changed since
    Copy,
}

/// Up to this size, in bytes, an export on this machine takes a few seconds (measured: 150 to 200 MB/s), about what a
/// copy takes: writers may as well wait for the export.
const MAX_HELD_BYTES: u64 = 1 << 30;

impl SnapshotMode {
    /// Whether the database is to be copied, for an export to this machine (`is_local`) or to another.
    pub fn copies(self, held: &Snapshot, is_local: bool) -> bool {
        match self {
            Self::Hold => false,
            Self::Copy => true,
            Self::Auto if held.lacks_pages() => true,
            Self::Auto => !held.is_wal() && (!is_local || held.bytes() > MAX_HELD_BYTES),
        }
    }
}
