//! What can go wrong with the file and folder that jobs are saved in.

use std::io;
use std::path::PathBuf;

use crate::record::JobId;

/// Why the job store failed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder can't be used.
    #[error("the state folder {} can't be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file can't be opened for writing.
    #[error(
        "the jobs in {} can't be opened for writing ({reason}): give this user write permission, or use another state folder",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
    /// The file is damaged, or is not a job file.
    #[error(
        "{} is damaged, or is not a job file of partway ({reason}); it was not changed. Move it away, or use \
         another state folder: unfinished exports then start over",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error(
        "{} was written by a newer version of partway (format {found}; this one knows {known}) and was not changed: \
         use that version, or another state folder",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version supported here.
        known: i64,
    },
    /// There is no space left.
    #[error("there is no space left for the jobs in {}: free some space", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the file.
    #[error("{} is locked by another process: try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Another reason.
    #[error("the jobs in {} can't be read or written: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
    /// What is to be saved can't be written as text.
    #[error("the job can't be saved ({reason}): exports to a store need paths in UTF-8")]
    Unsaveable {
        /// Why not.
        reason: String,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(String),
    /// Several job ids begin like this.
    #[error("several job ids begin with {0}: give more digits")]
    AmbiguousJob(String),
    /// Another process has taken over the job; what this one has done since has no effect.
    #[error("job {0} has been taken over by another process")]
    LeaseLost(JobId),
    /// The same database is already being exported to the same store.
    #[error(
        "{database} is being exported to {store} by another process, as job {id}: wait for it to end, or cancel \
         it"
    )]
    Running {
        /// The job that runs.
        id: JobId,
        /// Its database.
        database: String,
        /// Its store.
        store: String,
    },
}

impl StateError {
    /// Interprets SQLite's error for the file.
    pub(crate) fn from_sqlite(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        let reason = match error {
            rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, reason }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, reason }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(_) => Self::Failed { path, reason },
            // A column holds what no version has written.
            None => Self::Damaged { path, reason },
        }
    }
}
