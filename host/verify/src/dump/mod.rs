//! Reading a dump: whether it is complete, what it holds, and restoring it.

mod check;
mod inserts;
mod problem;
mod restore;

pub use check::{DumpChecker, DumpReport};
pub use inserts::InsertedColumns;
pub use partway_importer::DumpFormatError;
pub use problem::DumpProblem;
pub use restore::{RestoreError, StatementError};
