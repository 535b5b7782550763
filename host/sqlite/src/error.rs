//! SQLite's errors, as errors of the contract and as text for people.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use partway_wasmtime::rows::Error as RowsError;

/// Why a database can't be opened for an export.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no database {}", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The path is something else: a folder, say.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// The file is something else, or encrypted.
    #[error("{} is not a SQLite database (or it is encrypted)", path.display())]
    NotADatabase {
        /// The path as given.
        path: PathBuf,
    },
    /// This user may not read it.
    #[error("{} can't be read: this user needs read permission", path.display())]
    Permission {
        /// The path as given.
        path: PathBuf,
    },
    /// Another process has locked it.
    #[error("{} is locked by another process: try again when it has finished writing", path.display())]
    Busy {
        /// The path as given.
        path: PathBuf,
    },
    /// It is truncated, or damaged in a place that matters for every table.
    #[error(
        "{} is damaged or truncated ({reason}): export a copy recovered by `sqlite3 FILE .recover`",
        path.display()
    )]
    Corrupt {
        /// The path as given.
        path: PathBuf,
        /// SQLite's message.
        reason: String,
    },
    /// Files next to it would have to be written first: the index of a write-ahead log, or a
    /// journal that a crash left.
    #[error(
        "{} can't be opened read-only ({reason}): if it is in WAL mode, or a writer has crashed, SQLite \
         must first write files next to it. Open it once with write access, or export a copy",
        path.display()
    )]
    NeedsWrite {
        /// The path as given.
        path: PathBuf,
        /// SQLite's message.
        reason: String,
    },
    /// It could not be copied.
    #[error("the database could not be copied to {}: {reason}. Free some space there", path.display())]
    Copy {
        /// Where the copy was to be.
        path: PathBuf,
        /// SQLite's or the system's message.
        reason: String,
    },
    /// Another reason.
    #[error("{} can't be opened: {reason}", path.display())]
    Other {
        /// The path as given.
        path: PathBuf,
        /// SQLite's or the system's message.
        reason: String,
    },
}

/// Why a database of somebody else's connection can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LendError {
    /// The connection has no database of this name.
    #[error("there is no database {schema:?} on this connection: it has {}", known.join(", "))]
    NoSuchDatabase {
        /// The name as given.
        schema: String,
        /// The names of its databases.
        known: Vec<String>,
    },
    /// The connection has written to it and not committed.
    #[error(
        "this connection has a transaction open that has written to {schema:?}, and what it wrote may be rolled back: COMMIT it first"
    )]
    Uncommitted {
        /// The database's name.
        schema: String,
    },
    /// A statement that writes to it is under way.
    #[error(
        "a statement that writes to {schema:?} is not finished: the database can be read before or after it, but not within it"
    )]
    Writing {
        /// The database's name.
        schema: String,
    },
    /// SQLite's own error.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    /// Interprets SQLite's error on opening `path`.
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = reason(error);
        match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
            Some((ErrorCode::NotADatabase, _)) => Self::NotADatabase { path },
            Some((ErrorCode::DatabaseCorrupt, _)) => Self::Corrupt { path, reason },
            Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => Self::Busy { path },
            Some((ErrorCode::ReadOnly | ErrorCode::CannotOpen, _)) => {
                Self::NeedsWrite { path, reason }
            }
            _ => Self::Other { path, reason },
        }
    }
}

/// Interprets SQLite's error on reading, for a component. `what` names what was read.
pub(crate) fn rows_error(what: &str, error: &rusqlite::Error) -> RowsError {
    let reason = reason(error);
    match error.sqlite_error_code() {
        _ if is_damage(error) => RowsError::Corrupt(format!(
            "{what} is damaged ({reason}): `sqlite3 FILE .recover` may recover what is left of it"
        )),
        Some(ErrorCode::OperationInterrupted) => RowsError::Interrupted,
        _ => RowsError::Failed(format!("{what} can't be read: {reason}")),
    }
}

/// Whether the database is damaged where it was read.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// SQLite's own message, without the library's additions.
pub(crate) fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// The error if the transaction that held a snapshot's state has ended.
pub(crate) fn state_is_lost() -> RowsError {
    let text = "a read failed, and the state of the database that was being read is lost";
    RowsError::Failed(text.to_owned())
}

/// The error if the thread that reads a snapshot has ended.
pub(crate) fn reader_has_ended() -> RowsError {
    RowsError::Failed("the thread that reads the database has ended".to_owned())
}

/// An error's text, without its kind.
pub(crate) fn reason_of(error: RowsError) -> String {
    match error {
        RowsError::UnknownTable(text)
        | RowsError::UnknownColumn(text)
        | RowsError::InvalidPosition(text)
        | RowsError::InvalidCell(text)
        | RowsError::Unavailable(text)
        | RowsError::Corrupt(text)
        | RowsError::Failed(text) => text,
        RowsError::Interrupted => "interrupted".to_owned(),
    }
}
