//! The database: a connection to it, and how it is known that somebody has written to it.

use std::fmt::Write;

use preopened::{Place, locate, open, read, stat};
use rusqlite::{Connection, OpenFlags};
use wasip2::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags as FileFlags};

use crate::vfs;

/// An open database.
pub struct Database {
    pub connection: Connection,
    path: String,
    place: Place,
}

impl Database {
    pub fn open(path: &str) -> Result<Self, String> {
        let place = locate(path)?;
        let found = stat(&place.folder, &place.path);
        let found = found.map_err(|error| format!("{path}: {}", error.message()))?;
        found.ok_or_else(|| format!("there is no file {path}"))?;
        vfs::register()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(path, flags, vfs::NAME)
            // Without shared memory, a database in WAL mode can be read by one connection alone.
            .and_then(|database| {
                database.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
                // Reads the header: whether it is a database, and can be read.
                database.pragma_query_value(None, "schema_version", |_| Ok(()))?;
                Ok(database)
            })
            .map_err(|error| format!("{path} can't be read: {error}"))?;
        Ok(Self { connection, path: path.to_owned(), place })
    }

    /// Of each file: length, time and its first bytes, where SQLite counts changes.
    pub fn state(&self) -> Result<String, String> {
        let states: Result<Vec<String>, ErrorCode> =
            ["", "-wal", "-journal"].into_iter().map(|suffix| self.state_of(suffix)).collect();
        let failed = |error: ErrorCode| format!("looking at {}: {}", self.path, error.message());
        Ok(states.map_err(failed)?.join(", "))
    }

    fn state_of(&self, suffix: &str) -> Result<String, ErrorCode> {
        let (folder, path) = self.place.suffixed(suffix);
        let Some(stat) = stat(folder, &path)? else { return Ok("none".into()) };
        let (seconds, nanoseconds) = stat
            .data_modification_timestamp
            .map_or((0, 0), |time| (time.seconds, time.nanoseconds));
        let mut state = format!("{} {seconds}.{nanoseconds:09} ", stat.size);
        let file = open(folder, &path, FileFlags::empty(), DescriptorFlags::READ)?;
        let mut first = [0; 32];
        let length = read(&file, &mut first, 0)?;
        for byte in &first[..length] {
            // Writing to a String can't fail.
            let _ = write!(state, "{byte:02x}");
        }
        Ok(state)
    }
}
