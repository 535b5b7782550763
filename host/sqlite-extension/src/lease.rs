//! The caller's database, held for an export; and whether the caller still wants it.

use partway_sqlite::{LentDatabase, Snapshot};
use rusqlite::{Connection, ffi};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, is_interrupted};
use crate::options::Options;

/// Some instructions for SQLite, few hundred: a progress handler is called after so many. SQLite fails them once the
/// connection is interrupted, in all versions.
const PROBE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT max(i) FROM n";

/// A state of one of the caller's databases.
pub(crate) struct Lease {
    database: LentDatabase,
}

impl Lease {
    /// Holds the state of the database that the options name.
    ///
    /// # Safety
    ///
    /// The connection must be open for as long as this lives, and used by this thread only.
    pub(crate) unsafe fn new(
        connection: *mut ffi::sqlite3,
        options: &Options,
    ) -> Result<Self, Error> {
        // SAFETY: as the caller says.
        let connection = unsafe { Connection::from_handle(connection)? };
        let database = LentDatabase::hold(connection, &options.schema, options.uncommitted)?
            .with_max_loaded_row(options.max_loaded_row);
        Ok(Self { database })
    }

    /// The size of the database, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.database.bytes()
    }

    /// Fails if the connection has written since.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        if self.database.has_changed()? { Err(Error::Changed) } else { Ok(()) }
    }

    /// Runs `work` on a thread of its own, for which this thread reads. The token is cancelled when the connection is
    /// interrupted, by `sqlite3_interrupt` or by a progress handler.
    pub(crate) fn read<T: Send>(
        &self,
        work: impl FnOnce(Snapshot, CancellationToken) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let mut watch = || {
            if is_stopped(self.database.connection()) {
                stop.cancel();
            }
        };
        self.database.read(&mut watch, move |snapshot| work(snapshot, stopped))?
    }
}

fn is_stopped(connection: &Connection) -> bool {
    let probed =
        connection.prepare_cached(PROBE).and_then(|mut probe| probe.query_row([], |_| Ok(())));
    probed.is_err_and(|error| is_interrupted(&error))
}
