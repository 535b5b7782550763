//! The ways in which two databases can differ.

use std::fmt;

use super::name::Name;

/// An object of a database's schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaObject {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: Name,
}

impl fmt::Display for SchemaObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// One of the two databases that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first one.
    Original,
    /// The second one.
    Copy,
}

/// One difference between a copy and its original. [`Display`](fmt::Display) writes it as one line of text.
///
/// Values are text for messages: SQL literals, shortened to where they differ if they are long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// `user_version`, `application_id` or the encoding.
    Header {
        /// Which of the three.
        name: &'static str,
        /// Its value in the original.
        original: String,
        /// Its value in the copy.
        copy: String,
    },
    /// The copy lacks an object.
    Missing {
        /// The object.
        object: SchemaObject,
    },
    /// The copy has an object that the original lacks.
    New {
        /// The object.
        object: SchemaObject,
    },
    /// An object's SQL text differs.
    Schema {
        /// The object.
        object: SchemaObject,
        /// Its value in the original.
        original: String,
        /// Its value in the copy.
        copy: String,
    },
    /// A table's stored columns differ, so its rows are not compared.
    Columns {
        /// The table.
        object: SchemaObject,
        /// Its value in the original.
        original: String,
        /// Its value in the copy.
        copy: String,
    },
    /// The copy lacks a row.
    MissingRow {
        /// The table.
        object: SchemaObject,
        /// The row: its rowid, its key, or its first cells.
        row: String,
    },
    /// The copy has a row that the original lacks.
    NewRow {
        /// The table.
        object: SchemaObject,
        /// The row: its rowid, its key, or its first cells.
        row: String,
    },
    /// A cell's storage class or its bytes differ.
    Cell {
        /// The table.
        object: SchemaObject,
        /// The row: its rowid or its key.
        row: String,
        /// The column's name.
        column: Name,
        /// Its value in the original.
        original: String,
        /// Its value in the copy.
        copy: String,
    },
    /// A table's rows can't be read, or not to the end.
    Unreadable {
        /// The table.
        object: SchemaObject,
        /// In which of the two databases.
        side: Side,
        /// SQLite's error message.
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
                write!(f, "{object}, {row}, column {column}: {original} became {copy}")
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
