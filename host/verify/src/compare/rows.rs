//! The rows of a table that both databases have.

use rusqlite::Connection;

use super::columns::{Identity, Table};
use super::cursor::Queries;
use super::{Difference, Object, Pair, Side, ordered, unordered};

/// Why the rows of one side can't be read to their end.
pub(crate) struct Unreadable {
    side: Side,
    reason: String,
}

/// Says whose error it is.
pub(crate) trait Of<T> {
    fn of(self, side: Side) -> Result<T, Unreadable>;
}

impl<T> Of<T> for rusqlite::Result<T> {
    fn of(self, side: Side) -> Result<T, Unreadable> {
        self.map_err(|error| Unreadable { side, reason: error.to_string() })
    }
}

/// Compares all rows. A side that can't be read is a difference as well.
pub(crate) fn compare(pair: &Pair<'_>, object: &Object, found: &mut dyn FnMut(Difference)) {
    let mut differ = |difference| found(difference);
    let described =
        |connection: &Connection, side| Table::describe(connection, &object.name).of(side);
    let tables = (
        described(&pair.original.connection, Side::Original),
        described(&pair.copy.connection, Side::Copy),
    );
    let result = match tables {
        (Ok(table), Ok(other)) if table == other => {
            let mut rows = Rows { pair, object, table: &table, found: &mut differ };
            rows.compare()
        }
        (Ok(table), Ok(other)) => {
            differ(Difference::Columns {
                object: object.clone(),
                original: table.to_string(),
                copy: other.to_string(),
            });
            return;
        }
        (Err(one), Err(other)) => {
            differ(unreadable(object, one));
            Err(other)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    if let Err(error) = result {
        differ(unreadable(object, error));
    }
}

fn unreadable(object: &Object, error: Unreadable) -> Difference {
    Difference::Unreadable { object: object.clone(), side: error.side, reason: error.reason }
}

/// What comparing the rows of a table takes.
pub(crate) struct Rows<'a> {
    pub(crate) pair: &'a Pair<'a>,
    pub(crate) object: &'a Object,
    pub(crate) table: &'a Table,
    pub(crate) found: &'a mut dyn FnMut(Difference),
}

impl Rows<'_> {
    fn compare(&mut self) -> Result<(), Unreadable> {
        let form = self.pair.form;
        let table = self.table;
        let prepare = |connection, side| Queries::prepare(connection, table, form).of(side);
        let mut original = prepare(&self.pair.original.connection, Side::Original)?;
        let mut copy = prepare(&self.pair.copy.connection, Side::Copy)?;
        match table.identity {
            Identity::None => unordered::compare(self, &mut original, &mut copy),
            Identity::Rowid(_) | Identity::Key(_) => {
                let original = original.run(table, form).of(Side::Original)?;
                let copy = copy.run(table, form).of(Side::Copy)?;
                ordered::compare(self, original, copy)
            }
        }
    }

    pub(crate) fn missing_row(&mut self, row: String) {
        (self.found)(Difference::MissingRow { object: self.object.clone(), row });
    }

    pub(crate) fn new_row(&mut self, row: String) {
        (self.found)(Difference::NewRow { object: self.object.clone(), row });
    }
}
