//! Reading a dump: whether it is complete, what it holds, and restoring it.

mod check;
mod image;
mod insert;
mod inserted_columns;
mod problem;
mod restore;
mod statement_runner;

pub use check::{DumpChecker, DumpReport};
pub use inserted_columns::InsertedColumns;
pub use partway_importer::DumpFormatError;
pub use problem::DumpProblem;
pub use restore::{RestoreError, StatementError};
