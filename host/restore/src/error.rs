//! Why a dump is not restored.

use std::path::PathBuf;

use partway_verify::{DumpFormatError, DumpProblem, RestoreError as RunError};

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
    /// The bytes are no dump. As a predicate: put the dump's name before it.
    #[error(transparent)]
    Format(#[from] DumpFormatError),
    /// A statement of the dump can't be run. As a predicate: put the dump's name before it.
    #[error(transparent)]
    Run(#[from] RunError),
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

fn sentence(problems: &[DumpProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}
