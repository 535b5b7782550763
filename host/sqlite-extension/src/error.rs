//! Why SQL gets no result.

use partway_jobs::JobError;
use partway_sqlite::LendError;
use partway_store::{AddressError, PartSizeError, StoreError};
use partway_wasmtime::exporter::ExportError;
use partway_wasmtime::{CallError, LoadError};
use rusqlite::{ErrorCode, ffi};

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("interrupted")]
    Interrupted,
    /// What was asked for can't be: the text says why.
    #[error("{0}")]
    Options(String),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("part_size: {0}")]
    PartSize(#[from] PartSizeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Job(JobError),
    /// The connection, or its database.
    #[error("{0}")]
    Lend(LendError),
    #[error(
        "this connection has written to one of its databases while partway_parts was read: read all parts before it \
         writes, or write by another connection"
    )]
    Changed,
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
    /// What an export that failed has left in the store, and why.
    #[error("{reason}. What had been uploaded of {location} could not be deleted: {left}")]
    Left { reason: Box<Error>, location: String, left: String },
}

impl Error {
    /// As rusqlite passes it to SQLite. `whose`: the function or table.
    pub(crate) fn to_sqlite(&self, whose: &str) -> rusqlite::Error {
        match self {
            // SQLite's own code for it, and SQLite's words.
            Self::Interrupted => {
                rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)
            }
            Self::Lend(LendError::Uncommitted { .. }) if whose == "partway_export" => {
                let advice = "or set the option uncommitted to 1 to export it all the same";
                rusqlite::Error::ModuleError(format!("{whose}: {self}, {advice}"))
            }
            other => rusqlite::Error::ModuleError(format!("{whose}: {other}")),
        }
    }
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        if error.is_interrupted() { Self::Interrupted } else { Self::Job(error) }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Exporter(ExportError::Interrupted) => Self::Interrupted,
            other => Self::Job(JobError::Call(other)),
        }
    }
}

impl From<LendError> for Error {
    fn from(error: LendError) -> Self {
        match &error {
            LendError::Sqlite(error) if is_interrupted(error) => Self::Interrupted,
            _ => Self::Lend(error),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(LendError::Sqlite(error))
    }
}

/// Whether the connection was interrupted, by `sqlite3_interrupt` or its progress handler.
pub(crate) fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
