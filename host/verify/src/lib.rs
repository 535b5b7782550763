//! Checks SQL dumps made by Partway, and compares SQLite databases bit by bit.
//!
//! [`DumpChecker`] reads a dump once, from its first byte to its last, without holding it in
//! memory. It counts tables and rows, and reports whether the dump is complete:
//! it has a begin mark, an end mark, and as many rows as the end mark says. On the way it can
//! restore the dump into a database file. [`compare`] and [`compare_each`] report where two
//! database files differ: header values, schema text, every cell's storage class and bytes, rowids.
//!
//! Together they prove a dump: restore it, and compare the result with the database that was exported.
//!
//! ```
//! use std::path::Path;
//!
//! use partway_verify::{DumpChecker, compare};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let original = folder.path().join("original.db");
//! # rusqlite::Connection::open(&original)?.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES(1);")?;
//! # let restored = folder.path().join("restored.db");
//! # let (original, restored): (&Path, &Path) = (&original, &restored);
//! let dump = b"-- partway:begin sql 1\nBEGIN;\nCREATE TABLE t(a);\nINSERT INTO \"t\" VALUES(1);\nCOMMIT;\n\
//!     -- partway:end tables=1 rows=1\n";
//!
//! let mut checker = DumpChecker::restoring_into(restored)?; // or DumpChecker::new(), to check only
//! for chunk in dump.chunks(16) {
//!     checker.feed(chunk)?;
//! }
//! let report = checker.finish()?;
//! for problem in &report.problems {
//!     println!("the dump {problem}");
//! }
//! assert!(report.is_complete());
//! assert_eq!((report.tables, report.rows), (1, 1));
//!
//! report.restored.transpose()?;
//! let differences = compare(original, restored)?;
//! for difference in &differences {
//!     println!("{difference}");
//! }
//! assert!(differences.is_empty());
//! # Ok(())
//! # }
//! ```

mod compare;
mod dump;
mod plural;
mod statement;

pub use compare::{
    CompareError, Difference, Name, SchemaObject, Side, compare, compare_each, compare_restored,
};
pub use dump::{
    DumpChecker, DumpFormatError, DumpProblem, DumpReport, InsertedColumns, RestoreError,
    StatementError,
};
pub use plural::pluralize;
