//! The text of a SQL dump.

mod cell;
mod name;
mod real;
mod script;
mod text;

pub(crate) use cell::{CellWriter, value_closing, value_opening, write_piece};
pub(crate) use script::{end_mark, plan};

/// The bound on a statement of rows, unless one row alone is longer. From here on larger statements
/// restore no faster, and the parser of SQLite holds the whole of one in memory.
pub(crate) const STATEMENT_BYTES: u64 = 64 * 1024;

/// What stands between two rows of a statement, up to the second one's first value.
pub(crate) const NEXT_ROW: &[u8; 3] = b",\n(";

/// What ends a statement.
pub(crate) const CLOSING: &[u8] = b";\n";
