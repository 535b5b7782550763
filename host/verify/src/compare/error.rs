//! Why two databases can't be compared.

use std::path::PathBuf;

/// Why two databases can't be compared. A table that can't be read is not an error but a
/// [`Difference::Unreadable`](crate::Difference::Unreadable).
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file can't be opened.
    #[error("{} can't be opened: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A file is open, but not even its header or its schema can be read: it is not a SQLite
    /// database, say.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
}
