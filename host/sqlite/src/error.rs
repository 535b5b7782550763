//! SQLite's errors, in the contract's words and in people's.

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
    /// The path names something else: a folder, say.
    #[error("{} is not a file, so no database", path.display())]
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
    /// It may not be read.
    #[error("{} may not be read: give this user the right to, or run as one who has it", path.display())]
    Permission {
        /// The path as given.
        path: PathBuf,
    },
    /// Somebody holds it.
    #[error("{} is locked by another process: try again when it has finished its write", path.display())]
    Busy {
        /// The path as given.
        path: PathBuf,
    },
    /// It is cut short, or damaged where it matters for every table.
    #[error(
        "{} is damaged or cut short ({reason}): export a copy of it that `sqlite3 FILE .recover` has repaired",
        path.display()
    )]
    Corrupt {
        /// The path as given.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Files beside it would have to be written first: the index of a write-ahead log, or a journal that a
    /// crash left.
    #[error(
        "{} can't be opened read-only ({reason}): if it is in WAL mode, or a writer has crashed, SQLite \
         has to write beside it first. Open it once with write access, or export a copy",
        path.display()
    )]
    NeedsWrite {
        /// The path as given.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// No copy of it could be made.
    #[error(
        "no copy of the database could be made in {}: {reason}. Make room there",
        path.display()
    )]
    Copy {
        /// Where the copy was to be.
        path: PathBuf,
        /// SQLite's or the system's words.
        reason: String,
    },
    /// Another reason.
    #[error("{} can't be opened: {reason}", path.display())]
    Other {
        /// The path as given.
        path: PathBuf,
        /// SQLite's or the system's words.
        reason: String,
    },
}

impl OpenError {
    /// What SQLite's error on opening `path` means.
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

/// What SQLite's error on reading means to a component. `what` names the thing that was read.
pub(crate) fn rows_error(what: &str, error: &rusqlite::Error) -> RowsError {
    let reason = reason(error);
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => RowsError::Corrupt(format!(
            "{what} is damaged ({reason}): `sqlite3 FILE .recover` may save what is left of it"
        )),
        Some(ErrorCode::OperationInterrupted) => RowsError::Interrupted,
        _ => RowsError::Failed(format!("{what} can't be read: {reason}")),
    }
}

/// SQLite's own words, without the library's around them.
fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// A name for messages.
pub(crate) fn shown(name: &[u8]) -> String {
    format!("table {:?}", String::from_utf8_lossy(name))
}
