//! The table in which a restore rebuilds values too long for a statement, piece by piece. The row's statement
//! then selects them from it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::literal::{value_closing, value_opening};
use super::target::Target;
use crate::pipe::Schema;

/// The table in which values are rebuilt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScratchTable {
    name: String,
    target: Target,
}

impl ScratchTable {
    /// A table with a name that the database does not use.
    pub(super) fn new(schema: &Schema, target: Target) -> Self {
        let is_free = |name: &String| {
            !schema.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name.as_bytes()))
        };
        let first = String::from("partway_value");
        let name = if is_free(&first) {
            first
        } else {
            (2u32..).map(|number| format!("partway_value{number}")).find(is_free).unwrap_or(first)
        };
        Self { name, target }
    }

    /// Creates the table: once a dump where there are no temporary tables, else once a row.
    pub(super) fn create(&self) -> String {
        let temp = if self.target == Target::D1 { "" } else { "TEMP " };
        format!("CREATE {temp}TABLE {}(n INTEGER PRIMARY KEY,v);\n", self.name)
    }

    /// Removes the table.
    pub(super) fn drop(&self) -> String {
        format!("DROP TABLE {};\n", self.name)
    }

    /// The text before a row's values.
    pub(super) fn before_row(&self) -> String {
        if self.target == Target::D1 { String::new() } else { self.create() }
    }

    /// The text after the row.
    pub(super) fn after_row(&self) -> String {
        if self.target == Target::D1 {
            format!("DELETE FROM {};\n", self.name)
        } else {
            self.drop()
        }
    }

    /// Begins the value of column `number`.
    pub(super) fn begin(&self, number: u32, text: bool) -> String {
        let empty = if text { "''" } else { "x''" };
        format!("INSERT INTO {} VALUES({number},{empty});\n", self.name)
    }

    /// The text before a piece of it.
    pub(super) fn piece_opening(&self, text: bool, hex: bool) -> String {
        let cast = if text { "" } else { "CAST(" };
        let literal = String::from_utf8_lossy(value_opening(text, hex));
        format!("UPDATE {} SET v={cast}v||{literal}", self.name)
    }

    /// The text after a piece. Concatenating blobs gives text of the same bytes, hence the cast.
    pub(super) fn piece_closing(&self, number: u32, text: bool, hex: bool) -> Vec<u8> {
        let cast = if text { "" } else { " AS BLOB)" };
        let mut closing = value_closing(text, hex).to_vec();
        closing.extend_from_slice(format!("{cast} WHERE n={number};\n").as_bytes());
        closing
    }

    /// The value, as an expression for the row's statement.
    pub(super) fn value(&self, number: u32) -> String {
        format!("(SELECT v FROM {} WHERE n={number})", self.name)
    }
}
