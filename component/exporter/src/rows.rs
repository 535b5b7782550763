//! A table's rows: into statements, from the checkpoint's place on.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cells::Cells;
use crate::pipe::{Cursor, Error, Pacing, Parts, Rows, RowsError};
use crate::plan::TableRows;
use crate::slice::{Flow, Slice};
use crate::sql;

impl<R: Rows, P: Parts, C: Pacing> Slice<'_, R, P, C> {
    /// The rows of one table.
    pub(crate) fn table(&mut self, table: &TableRows) -> Result<Flow, Error> {
        let after = self.place.after.take();
        let mut cursor = match self.open_scans.take(self.place.step) {
            Some(opened) => opened?,
            None => self.rows.scan(&table.table, &table.columns, after.as_deref())?,
        };
        self.open_scans.fill(self.rows, self.plan, self.place.step);
        self.place.after = after;
        let mut batches = 0;
        loop {
            let batch = match cursor.next(self.plan.long.batch_bytes) {
                Err(RowsError::Corrupt(_)) if self.plan.skip_damaged => {
                    self.leave_damaged(table);
                    break;
                }
                batch => batch?,
            };
            if batch.rows == 0 {
                break;
            }
            batches += 1;
            let mut cells = Cells::new(&batch, table.columns.len())?;
            // Whether a row is long is asked of the row, never of its batch: batches begin where slices do.
            let may_be_long = cells.any_long(batch.kinds.len()) || self.place.value.is_some();
            for row in 0..batch.rows {
                let is_long = may_be_long
                    && (cells.any_long(table.columns.len()) || self.place.value.is_some());
                if is_long {
                    if self.long_row(table, &mut cursor, row, &mut cells)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                } else {
                    self.row(table, &mut cells)?;
                }
                self.counts.rows += u64::from(table.counted);
                if self.buffer.is_full() {
                    self.place.after = Some(cursor.position(row + 1)?);
                    if self.cut()? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            if self.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        if self.place.value.is_some() {
            return Err(Error::InvalidCheckpoint(format!(
                "the checkpoint stands in a row of table {} that is not there: start the export over",
                String::from_utf8_lossy(&table.table)
            )));
        }
        self.open_scans.note(batches);
        self.close_statement();
        self.counts.tables += u32::from(table.counted);
        self.next_step();
        self.cut()
    }

    /// Remembers that a table could not be read to its end.
    pub(crate) fn leave_damaged(&mut self, table: &TableRows) {
        let name = String::from_utf8_lossy(&table.table).into_owned();
        if !self.damaged.contains(&name) {
            self.damaged.push(name);
        }
    }

    /// Writes a row whose values are all in the batch.
    #[inline(always)]
    fn row(&mut self, table: &TableRows, cells: &mut Cells<'_>) -> Result<(), Error> {
        let start = self.buffer.text().len();
        let begun = self.buffer.offset();
        let text = self.buffer.text();
        // Each a copy of known length: others are calls out of the module.
        match self.place.statement {
            Some(_) => text.extend_from_slice(sql::NEXT_ROW),
            None => text.push(b'('),
        }
        for _ in 0..table.columns.len() {
            self.cells.write(text, cells.next()?);
            text.push(b',');
        }
        // Instead of the last comma.
        text.pop();
        text.push(b')');
        self.open_statement(table, start, begun);
        Ok(())
    }

    /// Sees to it that the row whose text begins at `start` in the buffer stands in a statement: the
    /// open one, or a new one where that would grow too long. `begun` is where in the object the
    /// row's text begins.
    ///
    /// A statement is bounded by what it holds, never by where parts or slices end, so that the
    /// bytes do not depend on them.
    fn open_statement(&mut self, table: &TableRows, start: usize, begun: u64) {
        let end = self.buffer.offset() + sql::CLOSING.len() as u64;
        let (row, replaced) = match self.place.statement {
            None => (begun, 0),
            Some(open) if table.single || end - open > self.plan.statement_bytes => {
                (begun + sql::CLOSING.len() as u64, sql::NEXT_ROW.len())
            }
            Some(_) => return,
        };
        let mut opening = Vec::with_capacity(table.opening.len() + 4);
        if replaced > 0 {
            opening.extend_from_slice(sql::CLOSING);
        }
        opening.extend_from_slice(&table.opening);
        if replaced > 0 {
            opening.push(b'(');
        }
        self.buffer.text().splice(start..start + replaced, opening);
        self.place.statement = Some(row);
    }

    /// Ends the open statement, if there is one.
    pub(crate) fn close_statement(&mut self) {
        if self.place.statement.take().is_some() {
            self.buffer.text().extend_from_slice(sql::CLOSING);
        }
    }
}
