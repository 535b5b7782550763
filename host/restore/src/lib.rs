//! Restores a SQL dump made by Partway into a new SQLite database.
//!
//! [`Restore`] takes a dump's bytes in order and runs its statements in a hidden file beside the new database. The file
//! gets the database's name when all is checked: the dump is complete, has the rows that its end mark says, and the
//! SHA-256 that was asked for. So nothing ever looks whole that is not, and nothing is overwritten.
//!
//! ```
//! use partway_restore::{Requirements, Restore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let database = folder.path().join("new.db");
//! let dump = b"-- partway:begin sql 1\nBEGIN;\nCREATE TABLE t(a);\nINSERT INTO \"t\" VALUES(1);\nCOMMIT;\n\
//!     -- partway:end tables=1 rows=1\n";
//!
//! let mut restore = Restore::into_new(&database, Requirements::default())?;
//! for chunk in dump.chunks(16) {
//!     restore.feed(chunk)?;
//! }
//! assert!(!database.exists());
//! let restored = restore.finish()?;
//! assert!(database.exists());
//! assert_eq!((restored.tables, restored.rows), (1, 1));
//! # Ok(())
//! # }
//! ```

mod error;
mod new_file;
mod restore;

pub use error::RestoreError;
pub use restore::{Requirements, Restore, Restored};
