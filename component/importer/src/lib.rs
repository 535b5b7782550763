//! What the import component does: checks that a SQL dump made by Partway is one and whole, and splits it into statements.
//!
//! [`check`] and [`split`] are pure functions over bytes, for a host that runs the statements itself. [`StatementSplitter`] is
//! for those who have the bytes in chunks that cut statements: it keeps only the beginning of each.
//!
//! ```
//! use partway_importer::{StatementKind, Target, check, split};
//!
//! let dump = b"-- partway:begin sql 1\nPRAGMA defer_foreign_keys=TRUE;\nCREATE TABLE t(a);\n\
//!     INSERT INTO \"t\" VALUES\n(1),\n(';');\n-- partway:end tables=1 rows=2\nSELECT 1;\n";
//!
//! // Its first and last bytes: CHECK_BYTES of each, or all.
//! let summary = check(dump, dump)?;
//! assert_eq!((summary.target, summary.tables, summary.rows), (Target::D1, 1, 2));
//!
//! let statements = split(&dump[..], u32::MAX).statements;
//! let rows = statements.iter().find(|statement| statement.kind == StatementKind::Rows);
//! assert_eq!(rows.map(|statement| statement.rows), Some(2));
//! # Ok::<(), partway_importer::CheckError>(())
//! ```
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod check;
mod completeness;
mod kind;
mod marks;
mod split;
mod statements;

pub use check::{CHECK_BYTES, CheckError, D1_LAST_LINE, Dump, Target, check, target_of};
pub use kind::{Kind, after};
pub use marks::{DumpFormatError, EndMark, MAX_FIRST_LINE, check_first_line, check_fragment};
pub use split::{Statement, StatementKind, Statements, split};
pub use statements::{Remainder, Segment, Span, StatementSplitter};
