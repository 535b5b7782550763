//! The comparison of one table: what it reads, where it reports differences, and how it reports a
//! read failure.

use super::database::DatabasePair;
use super::difference::{Difference, SchemaObject, Side};
use super::table::Table;

/// The comparison of the rows of a table that both databases have, with the same columns.
pub(crate) struct TableComparison<'a> {
    pub(crate) databases: &'a DatabasePair<'a>,
    pub(crate) object: &'a SchemaObject,
    pub(crate) table: &'a Table,
    /// Called with each difference.
    pub(crate) report: &'a mut dyn FnMut(Difference),
}

impl TableComparison<'_> {
    pub(crate) fn missing_row(&mut self, row: String) {
        (self.report)(Difference::MissingRow { object: self.object.clone(), row });
    }

    pub(crate) fn new_row(&mut self, row: String) {
        (self.report)(Difference::NewRow { object: self.object.clone(), row });
    }
}

/// Why the rows of a table can't be read to their end.
pub(crate) struct ReadFailure {
    side: Side,
    reason: String,
}

impl ReadFailure {
    pub(crate) fn into_difference(self, object: &SchemaObject) -> Difference {
        Difference::Unreadable { object: object.clone(), side: self.side, reason: self.reason }
    }
}

/// Says in which database an SQLite error happened.
pub(crate) trait OnSide<T> {
    fn on(self, side: Side) -> Result<T, ReadFailure>;
}

impl<T> OnSide<T> for rusqlite::Result<T> {
    fn on(self, side: Side) -> Result<T, ReadFailure> {
        self.map_err(|error| ReadFailure { side, reason: error.to_string() })
    }
}
