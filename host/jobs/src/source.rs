//! What a job reads from: an unchanging view of a database, which gives each slice its rows.

use partway_sqlite::{Expected, Fingerprint, Snapshot};
use partway_wasmtime::rows::Rows;

/// An unchanging view of a database: what a [`Job`](crate::Job) reads, slice by slice.
///
/// A [`Snapshot`] of a SQLite database is one. For another kind of database, implement this trait,
/// and open it in [`Resources`](crate::Resources).
pub trait Source: Send + Sync {
    /// The rows, for one slice. Every slice of an export must see the same rows.
    fn rows(&self) -> Box<dyn Rows>;

    /// The size of the database in bytes, from which the part size is chosen.
    fn bytes(&self) -> u64;

    /// What distinguishes this state of the database from every other, in this process and later
    /// ones. None: nothing does, and an interrupted export starts over in the next process.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// Whether this view is lost for good. A job then opens the source again, and continues if it has the same
    /// fingerprint.
    fn is_lost(&self) -> bool {
        false
    }

    /// How much there is to export from these tables (empty: all), as far as that is known without
    /// counting. It may block.
    fn expected(&self, tables: &[String]) -> Expected {
        let _ = tables;
        Expected::default()
    }

    /// Interrupts the current read, from another thread: it fails with
    /// [`Error::Interrupted`](partway_wasmtime::rows::Error::Interrupted), and later reads are not
    /// affected. Without this, a slice that is cut off waits for its read.
    fn interrupt(&self) {}
}

impl Source for Snapshot {
    fn is_lost(&self) -> bool {
        Snapshot::is_lost(self)
    }

    fn rows(&self) -> Box<dyn Rows> {
        Box::new(self.clone())
    }

    fn bytes(&self) -> u64 {
        Snapshot::bytes(self)
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Snapshot::fingerprint(self).cloned()
    }

    fn expected(&self, tables: &[String]) -> Expected {
        Snapshot::expected(self, tables)
    }

    fn interrupt(&self) {
        Snapshot::interrupt(self);
    }
}
