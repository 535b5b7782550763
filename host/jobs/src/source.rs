//! What a job reads from: one unchanging view of a database, which gives each slice its rows.

use partway_sqlite::{Expected, Fingerprint, Snapshot};
use partway_wasmtime::rows::Rows;

/// One unchanging view of a database: what a [`Job`](crate::Job) reads, slice by slice.
///
/// A [`Snapshot`] of a SQLite database is one. For another kind of database implement this, and open it in
/// [`Resources`](crate::Resources).
pub trait Source: Send + Sync {
    /// The rows, for one slice. Every slice of an export has to see the same ones.
    fn rows(&self) -> Box<dyn Rows>;

    /// The size of the database in bytes: the part size is chosen by it.
    fn bytes(&self) -> u64;

    /// What tells this state of the database from every other, in this process and later ones. None: nothing does, and
    /// an export of it that was interrupted starts over in the next process.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// How much there is to export of these tables (empty: all), as far as that is known without counting. It may block.
    fn expected(&self, tables: &[String]) -> Expected {
        let _ = tables;
        Expected::default()
    }

    /// Ends the read that is under way, from another thread: it fails with
    /// [`Error::Interrupted`](partway_wasmtime::rows::Error::Interrupted), and later reads are as ever. A slice that is
    /// cut off waits for its read without this.
    fn interrupt(&self) {}
}

impl Source for Snapshot {
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
