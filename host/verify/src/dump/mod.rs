//! Reading a dump: whether it is complete, what it holds, and restoring it.

mod check;
mod completeness;
mod inserts;
mod marks;
mod problem;
mod restore;
mod statements;

pub use check::{DumpChecker, DumpReport};
pub use inserts::InsertedColumns;
pub use marks::DumpFormatError;
pub use problem::DumpProblem;
pub use restore::{RestoreError, StatementError};
