//! The rows of one table in one database, one after the other.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Rows, Statement};

use super::columns::{Identity, Table};
use super::value::{Form, shown};

/// Statements that together read a table.
pub(crate) struct Queries<'c>(Vec<Statement<'c>>);

impl<'c> Queries<'c> {
    pub(crate) fn prepare(
        connection: &'c Connection,
        table: &Table,
        form: Form,
    ) -> rusqlite::Result<Self> {
        let queries = table.queries(form);
        Ok(Self(queries.iter().map(|sql| connection.prepare(sql)).collect::<Result<_, _>>()?))
    }

    /// Begins to read; the first row comes by [`Cursor::advance`].
    pub(crate) fn run<'q>(
        &'q mut self,
        table: &'q Table,
        form: Form,
    ) -> rusqlite::Result<Cursor<'q>> {
        let rows = self.0.iter_mut().map(|statement| statement.query([]));
        Ok(Cursor { rows: rows.collect::<Result<_, _>>()?, table, form })
    }
}

/// A place in a table's rows.
pub(crate) struct Cursor<'q> {
    /// Those of all statements, at the same row of the table.
    rows: Vec<Rows<'q>>,
    table: &'q Table,
    form: Form,
}

impl Cursor<'_> {
    /// Goes to the next row; false: there is none.
    pub(crate) fn advance(&mut self) -> rusqlite::Result<bool> {
        for rows in &mut self.rows {
            rows.advance()?;
        }
        Ok(self.rows.first().is_some_and(|rows| rows.get().is_some()))
    }

    fn value(&self, query: usize, index: usize) -> rusqlite::Result<ValueRef<'_>> {
        let row = self.rows.get(query).and_then(|rows| rows.get());
        row.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get_ref(index)
    }

    /// The row's rowid.
    pub(crate) fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(self.value(0, 0)?.as_i64()?)
    }

    /// A cell of the row.
    pub(crate) fn cell(&self, column: usize) -> rusqlite::Result<ValueRef<'_>> {
        let (query, place) = Table::place(column);
        let first = usize::from(matches!(self.table.identity, Identity::Rowid(_)));
        let index = first + place * self.form.width();
        if self.form.width() == 1 {
            return self.value(query, index);
        }
        let value = self.value(query, index + 1)?;
        match (self.value(query, index)?, value) {
            (ValueRef::Integer(1), ValueRef::Blob(bytes)) => Ok(ValueRef::Text(bytes)),
            _ => Ok(value),
        }
    }

    /// Some cells of the row, for people.
    pub(crate) fn shown(&self, columns: &[usize]) -> rusqlite::Result<String> {
        let cells = columns.iter().map(|column| {
            let name = &self.table.columns[*column];
            Ok(format!("{name:?} {}", shown(self.cell(*column)?, self.form)))
        });
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(", "))
    }

    /// The row, for people.
    pub(crate) fn shown_row(&self) -> rusqlite::Result<String> {
        match &self.table.identity {
            Identity::Rowid(_) => Ok(format!("rowid {}", self.rowid()?)),
            Identity::Key(key) => Ok(format!("key {}", self.shown(key)?)),
            Identity::None => {
                let first: Vec<usize> = (0..self.table.columns.len().min(4)).collect();
                Ok(format!("row {}", self.shown(&first)?))
            }
        }
    }
}
