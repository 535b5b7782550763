//! Rows with values too long for a batch: read and written piece by piece, with checkpoints inside them.
//! Values too long for a statement are rebuilt in the scratch table first.

use alloc::vec::Vec;

use super::insert::{CLOSING, end_statement};
use super::literal::{value_closing, value_opening, whole_characters, write_piece};
use super::plan::{Insert, Plan};
use super::state::{State, ValueProgress};
use crate::cells::{Cell, Cells};
use crate::format::TableRows;
use crate::long_value::{cut_off, inconsistent, no_such_value, read_piece};
use crate::output::{Flow, Output};
use crate::pipe::{Cursor, Error};

/// A row of the cursor's last batch that has long values.
pub(super) struct LongRow<'r, 'o, C> {
    pub(super) plan: &'r Plan,
    pub(super) table: &'r TableRows<Insert>,
    pub(super) cursor: &'r mut C,
    /// Its number in the batch.
    pub(super) row: u32,
    pub(super) output: &'r mut Output<'o, State>,
}

/// A value that is not in its batch.
#[derive(Clone, Copy)]
struct LongValue {
    column: u32,
    length: u32,
    is_text: bool,
    /// It is too long for its row's statement.
    rebuilt: bool,
}

impl<C: Cursor> LongRow<'_, '_, C> {
    /// Writes the row, in a statement of its own: first those of its values that have to be rebuilt, then the
    /// row itself. Stops the slice only inside a long value.
    pub(super) fn write(mut self, cells: &mut Cells<'_>) -> Result<Flow, Error> {
        let cells: Vec<Cell<'_>> =
            self.table.columns.iter().map(|_| cells.next()).collect::<Result<_, _>>()?;
        let values = self.long_values(&cells);
        let any_rebuilt = values.iter().any(|value| value.rebuilt);
        // All before the value in which the export resumes has been written.
        let mut resumed = self.output.end.state.value.take();
        if resumed.is_none() {
            end_statement(&mut self.output.buffer, &mut self.output.end.state);
            if any_rebuilt {
                self.append(self.plan.scratch.before_row().as_bytes());
            }
        }
        if resumed.is_none_or(|value| value.piece.is_some()) {
            if self.rebuild_values(&values, resumed.take())? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            self.append(&self.table.format.opening);
            self.append(b"(");
        }
        if self.write_values(&cells, &values, resumed)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.append(b")");
        self.append(CLOSING);
        if any_rebuilt {
            self.append(self.plan.scratch.after_row().as_bytes());
        }
        Ok(Flow::Continue)
    }

    /// The row's long values. As many as the row's statement has room for are written in the row.
    fn long_values(&self, cells: &[Cell<'_>]) -> Vec<LongValue> {
        let mut bytes = 0;
        let value = |(column, cell): (u32, &Cell<'_>)| match *cell {
            Cell::Long { text, length } => {
                bytes += u64::from(length);
                let rebuilt = bytes > self.plan.limits.in_row;
                Some(LongValue { column, length, is_text: text, rebuilt })
            }
            _ => None,
        };
        (0..).zip(cells).filter_map(value).collect()
    }

    /// Writes the statements that rebuild the values too long for the row's statement.
    fn rebuild_values(
        &mut self,
        values: &[LongValue],
        mut resumed: Option<ValueProgress>,
    ) -> Result<Flow, Error> {
        let first = resumed.map_or(0, |value| value.column);
        for value in values.iter().filter(|value| value.rebuilt && value.column >= first) {
            if self.rebuild(*value, resumed.take())? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        if resumed.is_some() { Err(no_such_value()) } else { Ok(Flow::Continue) }
    }

    /// Writes the row's values, separated by commas.
    fn write_values(
        &mut self,
        cells: &[Cell<'_>],
        values: &[LongValue],
        mut resumed: Option<ValueProgress>,
    ) -> Result<Flow, Error> {
        let first = resumed.map_or(0, |value| value.column);
        for (column, cell) in (0..).zip(cells).skip(first as usize) {
            let resumed = resumed.take();
            if resumed.is_none() && column > 0 {
                self.append(b",");
            }
            match values.iter().find(|value| value.column == column) {
                Some(value) if value.rebuilt => {
                    self.append(self.plan.scratch.value(column).as_bytes());
                }
                Some(value) => {
                    if self.write_in_row(*value, resumed)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                None if resumed.is_some() => return Err(no_such_value()),
                None => self.plan.literals.write(self.output.buffer.text(), *cell),
            }
        }
        self.output.end.state.unconverted += self.plan.literals.take_unconverted();
        Ok(Flow::Continue)
    }

    /// Writes what a value begins with.
    fn begin(&mut self, value: LongValue) -> Result<ValueProgress, Error> {
        let hex = self.needs_hex(value)?;
        if value.rebuilt {
            self.append(self.plan.scratch.begin(value.column, value.is_text).as_bytes());
        } else {
            self.append(value_opening(value.is_text, hex));
        }
        let piece = value.rebuilt.then_some(0);
        Ok(ValueProgress { column: value.column, offset: 0, hex, piece })
    }

    /// Writes a value where it stands in its row.
    fn write_in_row(
        &mut self,
        value: LongValue,
        resumed: Option<ValueProgress>,
    ) -> Result<Flow, Error> {
        let mut progress = match resumed {
            Some(progress) => progress,
            None => self.begin(value)?,
        };
        if self.stream(value, &mut progress, value.length)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.append(value_closing(value.is_text, progress.hex));
        Ok(Flow::Continue)
    }

    /// Writes the statements that rebuild a value.
    fn rebuild(&mut self, value: LongValue, resumed: Option<ValueProgress>) -> Result<Flow, Error> {
        let scratch = &self.plan.scratch;
        let mut progress = match resumed {
            Some(progress) => progress,
            None => self.begin(value)?,
        };
        loop {
            let start = progress.piece.unwrap_or_default();
            if progress.offset == start {
                self.append(scratch.piece_opening(value.is_text, progress.hex).as_bytes());
            }
            let until = start.saturating_add(self.plan.limits.piece).min(value.length);
            if self.stream(value, &mut progress, until)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            self.append(&scratch.piece_closing(value.column, value.is_text, progress.hex));
            if progress.offset >= value.length {
                return Ok(Flow::Continue);
            }
            progress.piece = Some(progress.offset);
        }
    }

    /// Writes a value's bytes up to `until`, or to the end of the last character before that.
    fn stream(
        &mut self,
        value: LongValue,
        progress: &mut ValueProgress,
        until: u32,
    ) -> Result<Flow, Error> {
        // All pieces of a row count from the position before it.
        self.output.end.after = Some(self.cursor.position(self.row)?);
        while progress.offset < until {
            let Some(piece) = self.read(value, progress.offset, until)? else {
                // What is left of it is lost, and reported.
                self.add_cut_off(value, progress.offset);
                progress.offset = value.length;
                break;
            };
            let end = progress.offset + piece.len() as u32;
            let (piece, length) = self.as_written(value, piece, progress.hex, end == value.length);
            if length == 0 && end == until && end < value.length {
                break;
            }
            if length == 0 {
                return Err(inconsistent());
            }
            progress.offset += length as u32;
            write_piece(self.output.buffer.text(), &piece, progress.hex);
            if self.output.buffer.is_full() {
                self.output.end.state.value = Some(*progress);
                if self.output.cut()? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if progress.offset < until && self.output.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        self.output.end.state.value = None;
        Ok(Flow::Continue)
    }

    /// What is written of a piece of a value, and how many of its bytes that is. Each statement is text by itself: none
    /// begins or ends inside a character.
    fn as_written(
        &mut self,
        value: LongValue,
        mut piece: Vec<u8>,
        hex: bool,
        last: bool,
    ) -> (Vec<u8>, usize) {
        let literals = &self.plan.literals;
        if value.is_text && literals.converts() {
            let (text, length) = literals.convert(&piece, last);
            self.output.end.state.unconverted += literals.take_unconverted();
            return (text.into_bytes(), length);
        }
        if !hex && !last {
            piece.truncate(whole_characters(&piece));
        }
        let length = piece.len();
        (piece, length)
    }

    /// Whether a value has to be written in hexadecimal digits: a blob, or text that can't be written as it
    /// is. Text is read once to find out, which pays: most text can, and then takes half as much.
    fn needs_hex(&mut self, value: LongValue) -> Result<bool, Error> {
        let mut offset = 0;
        while value.is_text && offset < value.length {
            let Some(piece) = self.read(value, offset, value.length)? else { return Ok(true) };
            let is_last = offset + piece.len() as u32 == value.length;
            match self.plan.literals.plain_up_to(&piece, is_last) {
                Some(length) if length > 0 => offset += length as u32,
                _ => return Ok(true),
            }
        }
        Ok(!value.is_text)
    }

    /// Some of a value's bytes between `offset` and `until`, at least one. None: the database is damaged
    /// there, and that is to be skipped.
    fn read(
        &mut self,
        value: LongValue,
        offset: u32,
        until: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        let most = self.plan.limits.batch;
        let cell = (self.row, value.column);
        read_piece(self.cursor, cell, (offset, until), most, self.plan.skip_damaged)
    }

    /// Reports a value that is not whole.
    fn add_cut_off(&mut self, value: LongValue, offset: u32) {
        self.output.damaged.push(cut_off(self.table, value.column, value.length, offset));
    }

    fn append(&mut self, text: &[u8]) {
        self.output.buffer.text().extend_from_slice(text);
    }
}
