//! What is said of two databases that differ.

use std::fmt;

/// An entry of a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)
    }
}

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Original,
    /// The second.
    Copy,
}

/// One way in which a copy differs from its original. Values are as people read them, and long ones
/// shortened to where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// `user_version`, `application_id` or the encoding.
    Header {
        /// Which.
        name: &'static str,
        /// In the original.
        original: String,
        /// In the copy.
        copy: String,
    },
    /// The copy has no such object.
    Missing {
        /// The object.
        object: Object,
    },
    /// The original has no such object.
    New {
        /// The object.
        object: Object,
    },
    /// The schema text differs.
    Schema {
        /// The object.
        object: Object,
        /// In the original.
        original: String,
        /// In the copy.
        copy: String,
    },
    /// The stored columns differ, so the rows are not compared.
    Columns {
        /// The table.
        object: Object,
        /// In the original.
        original: String,
        /// In the copy.
        copy: String,
    },
    /// The copy has no such row.
    MissingRow {
        /// The table.
        object: Object,
        /// The row: its rowid, its key, or its first cells.
        row: String,
    },
    /// The original has no such row.
    NewRow {
        /// The table.
        object: Object,
        /// The row: its rowid, its key, or its first cells.
        row: String,
    },
    /// A cell's storage class or bytes differ.
    Cell {
        /// The table.
        object: Object,
        /// The row: its rowid or its key.
        row: String,
        /// The column's name.
        column: String,
        /// In the original.
        original: String,
        /// In the copy.
        copy: String,
    },
    /// The rows, or those behind some row, can't be read.
    Unreadable {
        /// The table.
        object: Object,
        /// In which of the two.
        side: Side,
        /// SQLite's reason.
        reason: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, original, copy } => write!(f, "{name}: {original} became {copy}"),
            Self::Missing { object } => write!(f, "{object} is missing"),
            Self::New { object } => write!(f, "{object} is new"),
            Self::Schema { object, original, copy } => {
                write!(f, "{object}: its schema {original} became {copy}")
            }
            Self::Columns { object, original, copy } => write!(
                f,
                "{object}: its columns {original} became {copy}, so its rows are not compared"
            ),
            Self::MissingRow { object, row } => write!(f, "{object}, {row}: the row is missing"),
            Self::NewRow { object, row } => write!(f, "{object}, {row}: the row is new"),
            Self::Cell { object, row, column, original, copy } => {
                write!(f, "{object}, {row}, column {column:?}: {original} became {copy}")
            }
            Self::Unreadable { object, side, reason } => {
                let side = match side {
                    Side::Original => "original",
                    Side::Copy => "copy",
                };
                write!(f, "{object} can't be read in the {side}: {reason}")
            }
        }
    }
}
