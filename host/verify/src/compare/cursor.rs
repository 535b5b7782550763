//! Reading the rows of one table of one database, one after another.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Rows, Statement};

use super::table::{RowKey, Table};
use super::value::{TextEncoding, shown};

/// The prepared statements that together read a table.
pub(crate) struct TableScan<'c>(Vec<Statement<'c>>);

impl<'c> TableScan<'c> {
    pub(crate) fn prepare(
        connection: &'c Connection,
        table: &Table,
        encoding: TextEncoding,
    ) -> rusqlite::Result<Self> {
        let queries = table.queries(encoding);
        Ok(Self(queries.iter().map(|sql| connection.prepare(sql)).collect::<Result<_, _>>()?))
    }

    /// Starts reading. The cursor stands before the first row: call [`Cursor::advance`] first.
    pub(crate) fn start<'q>(
        &'q mut self,
        table: &'q Table,
        encoding: TextEncoding,
    ) -> rusqlite::Result<Cursor<'q>> {
        let rows = self.0.iter_mut().map(|statement| statement.query([]));
        Ok(Cursor { rows: rows.collect::<Result<_, _>>()?, table, encoding })
    }
}

/// A position in the rows of a table.
pub(crate) struct Cursor<'q> {
    /// The results of all statements, each at the same row of the table.
    rows: Vec<Rows<'q>>,
    table: &'q Table,
    encoding: TextEncoding,
}

impl Cursor<'_> {
    /// Moves to the next row. False: there is none.
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

    /// A cell of the row. `column` is an index into the table's stored columns.
    pub(crate) fn cell(&self, column: usize) -> rusqlite::Result<ValueRef<'_>> {
        let (query, place) = Table::place(column);
        let first = usize::from(matches!(self.table.key, RowKey::Rowid(_)));
        let index = first + place * self.encoding.width();
        if self.encoding.width() == 1 {
            return self.value(query, index);
        }
        let value = self.value(query, index + 1)?;
        match (self.value(query, index)?, value) {
            (ValueRef::Integer(1), ValueRef::Blob(bytes)) => Ok(ValueRef::Text(bytes)),
            _ => Ok(value),
        }
    }

    /// Some cells of the row, for a message.
    pub(crate) fn shown(&self, columns: &[usize]) -> rusqlite::Result<String> {
        let cells = columns.iter().map(|column| {
            let name = &self.table.columns[*column];
            Ok(format!("{name:?} {}", shown(self.cell(*column)?, self.encoding)))
        });
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(", "))
    }

    /// What identifies the row, for a message.
    pub(crate) fn shown_row(&self) -> rusqlite::Result<String> {
        match &self.table.key {
            RowKey::Rowid(_) => Ok(format!("rowid {}", self.rowid()?)),
            RowKey::PrimaryKey(key) => Ok(format!("key {}", self.shown(key)?)),
            RowKey::None => {
                let first: Vec<usize> = (0..self.table.columns.len().min(4)).collect();
                Ok(format!("row {}", self.shown(&first)?))
            }
        }
    }
}
