//! Why a dump is not restored.

use std::io;
use std::path::{Path, PathBuf};

use partway_verify::{DumpFormatError, DumpProblem, RestoreError as RunError, StatementError};

/// Why a dump is not restored. Whatever it is, there is no new database, and no file is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a file already where the database is to be, or one that SQLite would take for its journal.
    #[error("{} exists: a dump is restored into a new database, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// The database can't be written where it is to be.
    #[error("{} can't be created: {reason}", path.display())]
    Create {
        /// The database.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// There is no room for the database, or for what is sorted on the way to its indexes.
    #[error("{} can't be written: the disk is full", .0.display())]
    DiskFull(PathBuf),
    /// The bytes are no dump. As a predicate: put the dump's name before it.
    #[error(transparent)]
    Format(#[from] DumpFormatError),
    /// A statement of the dump can't be run. As a predicate: put the dump's name before it.
    #[error(transparent)]
    Run(RunError),
    /// The dump is not complete, for at least one reason. As a predicate: put the dump's name before it.
    #[error("{}", sentence(.0))]
    NotComplete(Vec<DumpProblem>),
    /// The dump is another one than was asked for. As a predicate: put the dump's name before it.
    #[error("has the SHA-256 {found}, not {expected}")]
    OtherHash {
        /// What it has.
        found: String,
        /// What was asked for.
        expected: String,
    },
}

impl RestoreError {
    /// Why restoring into this database has failed.
    pub(crate) fn of_run(error: RunError, database: &Path) -> Self {
        match error {
            RunError::Statement { reason: StatementError::DiskFull(_), .. } => {
                Self::DiskFull(database.to_owned())
            }
            RunError::Write(error) if is_full(&error) => Self::DiskFull(database.to_owned()),
            error => Self::Run(error),
        }
    }
}

/// Whether there is no room for a file, or none for this user.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

fn sentence(problems: &[DumpProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}
