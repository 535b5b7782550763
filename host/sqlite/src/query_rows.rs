//! The rows of a running query, and where each wanted cell is in them.

use rusqlite::Result;
use rusqlite::types::ValueRef;

use crate::byte_order_mark::LostMarks;
use crate::statement::Statement;

/// Where in a row of results a cell is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CellPlace {
    /// The cell itself.
    Plain(usize),
    /// The cell itself; the next result is the number of bytes that are stored of it.
    Measured(usize),
    /// The same, but if the cell is long, whether it is text is in its place.
    Guarded(usize),
}

/// Rows as they come. Those of more columns than a result may have come from several statements side by side:
/// in one transaction and in the same order, these give the same rows.
pub(crate) struct QueryRows<'c> {
    first: Statement<'c>,
    more: Vec<Statement<'c>>,
    /// How many result columns each statement but the last has.
    width: usize,
    places: Vec<CellPlace>,
    /// The places, where all cells come as they are from one statement: always, but for very wide tables,
    /// long values and text in UTF-16.
    plain: Option<Vec<usize>>,
    marks: LostMarks<'c>,
}

impl<'c> QueryRows<'c> {
    /// The rows of these statements, `width` columns of each. `plain`: the places, where there is one
    /// statement and all cells come as they are.
    pub(crate) fn new(
        first: Statement<'c>,
        more: Vec<Statement<'c>>,
        width: usize,
        places: Vec<CellPlace>,
        plain: Option<Vec<usize>>,
        marks: LostMarks<'c>,
    ) -> Self {
        Self { first, more, width, places, plain, marks }
    }

    /// Where the cells of the wanted columns are, in order.
    pub(crate) fn places(&self) -> &[CellPlace] {
        &self.places
    }

    /// The only statement and the places in it, where all cells come as they are.
    #[inline]
    pub(crate) fn plain(&self) -> Option<(&Statement<'_>, &[usize])> {
        self.plain.as_deref().map(|places| (&self.first, places))
    }

    /// Goes to the next row; false: there is none.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<bool> {
        let is_row = self.first.step()?;
        for statement in &mut self.more {
            statement.step()?;
        }
        Ok(is_row)
    }

    /// A result of the current row.
    #[inline]
    pub(crate) fn cell(&self, index: usize) -> ValueRef<'_> {
        if index < self.width {
            return self.first.cell(index);
        }
        match self.more.get(index / self.width - 1) {
            Some(statement) => statement.cell(index % self.width),
            None => ValueRef::Null,
        }
    }

    /// The byte order mark that the measured cell at `index` has lost.
    pub(crate) fn lost_mark(&self, index: usize) -> Option<[u8; 2]> {
        let number = index / self.width;
        let statement = match number.checked_sub(1) {
            None => &self.first,
            Some(number) => self.more.get(number)?,
        };
        let stored = self.cell(index + 1);
        self.marks.of(statement, index % self.width, stored, index, self.rowid())
    }

    /// How many bytes are stored of a long cell; none where its `octet_length` is all that tells.
    pub(crate) fn stored_length(&self, index: usize) -> Option<usize> {
        self.marks.length(index, self.rowid())
    }

    /// The rowid of the row, if that is the key.
    fn rowid(&self) -> Option<i64> {
        self.cell(0).as_i64().ok()
    }
}
