//! Reading the rows of one table of one database, one after another.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::table::{RowKey, Table};
use super::value::{TextEncoding, shown};
use crate::statement::Statement;

/// The prepared statements that together read a table.
pub(crate) struct TableScan<'c>(Vec<Statement<'c>>);

impl<'c> TableScan<'c> {
    pub(crate) fn prepare(
        connection: &'c Connection,
        table: &Table,
        encoding: TextEncoding,
    ) -> rusqlite::Result<Self> {
        let queries = table.queries(encoding);
        let statements = queries.iter().map(|sql| Statement::prepare(connection, sql));
        Ok(Self(statements.collect::<Result<_, _>>()?))
    }

    /// Starts reading. The cursor stands before the first row: call [`Cursor::advance`] first.
    pub(crate) fn start<'q>(
        &'q mut self,
        table: &'q Table,
        encoding: TextEncoding,
    ) -> Cursor<'q, 'c> {
        self.0.iter_mut().for_each(Statement::reset);
        Cursor { statements: &mut self.0, table, encoding }
    }
}

/// A position in the rows of a table.
pub(crate) struct Cursor<'q, 'c> {
    /// Each at the same row of the table.
    statements: &'q mut [Statement<'c>],
    table: &'q Table,
    encoding: TextEncoding,
}

impl Cursor<'_, '_> {
    /// Moves to the next row. False: there is none.
    pub(crate) fn advance(&mut self) -> rusqlite::Result<bool> {
        let mut is_row = false;
        for statement in &mut *self.statements {
            is_row = statement.step()?;
        }
        Ok(is_row)
    }

    fn value(&self, query: usize, index: usize) -> rusqlite::Result<ValueRef<'_>> {
        let statement = self.statements.get(query);
        statement.ok_or(rusqlite::Error::QueryReturnedNoRows)?.cell(index)
    }

    /// The row's rowid.
    pub(crate) fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(self.value(0, 0)?.as_i64()?)
    }

    /// A cell of the row. `column` is an index into the table's stored columns.
    pub(crate) fn cell(&self, column: usize) -> rusqlite::Result<ValueRef<'_>> {
        let (query, place) = Table::place(column);
        let first = usize::from(matches!(self.table.key, RowKey::Rowid { .. }));
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
            Ok(format!("{name} {}", shown(self.cell(*column)?, self.encoding)))
        });
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(", "))
    }

    /// What identifies the row, for a message.
    pub(crate) fn shown_row(&self) -> rusqlite::Result<String> {
        match &self.table.key {
            RowKey::Rowid { .. } => Ok(format!("rowid {}", self.rowid()?)),
            RowKey::PrimaryKey(key) => Ok(format!("key {}", self.shown(key)?)),
            RowKey::None => {
                let first: Vec<usize> = (0..self.table.columns.len().min(4)).collect();
                Ok(format!("row {}", self.shown(&first)?))
            }
        }
    }
}
