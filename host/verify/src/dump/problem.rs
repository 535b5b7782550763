//! What can be wrong with a dump.

use std::fmt;

use crate::plural::pluralize;

/// Why a dump is not complete. [`Display`](fmt::Display) writes it as a predicate: put the dump's name before
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpProblem {
    /// The dump's last lines say that the export could not read everything.
    Incomplete {
        /// How many tables could not be read to the end.
        damaged_tables: u64,
    },
    /// The end mark is missing.
    CutOff {
        /// The length of the dump in bytes.
        bytes: u64,
    },
    /// The end mark is there, but the line that must follow it in a dump for D1 is not complete.
    CutOffInLastLine {
        /// The length of the dump in bytes.
        bytes: u64,
    },
    /// There are bytes after the end mark that don't belong there.
    TrailingBytes {
        /// How many bytes follow the end mark.
        bytes: u64,
    },
    /// The end mark is part of a statement: a quote is missing, or there is one too many.
    EndMarkInStatement {
        /// The offset of the statement's first byte.
        start: u64,
    },
    /// It is a database file, and not as long as its header says.
    WrongLength {
        /// Its length in bytes.
        bytes: u64,
        /// What its header says.
        expected: u64,
    },
    /// It is a database file that is damaged. Contains what SQLite says.
    DamagedImage(String),
    /// The dump does not hold what its end mark says.
    WrongCounts {
        /// Rows in the dump.
        rows: u64,
        /// Tables in the dump.
        tables: u64,
        /// Rows by the end mark.
        expected_rows: u64,
        /// Tables by the end mark.
        expected_tables: u64,
    },
}

impl fmt::Display for DumpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { damaged_tables } => write!(
                f,
                "does not contain the whole database: {} could not be read to the end when it was exported",
                pluralize(*damaged_tables, "table")
            ),
            Self::CutOff { bytes } => {
                write!(f, "is cut off after {}: its end mark is missing", pluralize(*bytes, "byte"))
            }
            Self::CutOffInLastLine { bytes } => {
                write!(f, "is cut off after {}, within its last line", pluralize(*bytes, "byte"))
            }
            Self::TrailingBytes { bytes } => {
                write!(f, "has {} after its end mark", pluralize(*bytes, "byte"))
            }
            Self::EndMarkInStatement { start } => write!(
                f,
                "is damaged: its end mark is inside the statement that begins at byte {start}"
            ),
            Self::WrongLength { bytes, expected } if bytes < expected => write!(
                f,
                "is cut off after {}: its header says {expected} or more",
                pluralize(*bytes, "byte")
            ),
            Self::WrongLength { bytes, expected } => {
                write!(f, "has {} behind its last page", pluralize(bytes - expected, "byte"))
            }
            Self::DamagedImage(reason) => {
                write!(f, "is a database that is damaged: {}", reason.trim())
            }
            Self::WrongCounts { rows, tables, expected_rows, expected_tables } => write!(
                f,
                "has {} in {}, and its end mark says {} in {}",
                pluralize(*rows, "row"),
                pluralize(*tables, "table"),
                pluralize(*expected_rows, "row"),
                pluralize(*expected_tables, "table"),
            ),
        }
    }
}
