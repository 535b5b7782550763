//! Rows with values too long for a batch: read and written piece by piece, with checkpoints inside them.

use alloc::vec::Vec;

use super::format::BATCH_BYTES;
use super::layout::RowText;
use super::plan::Plan;
use super::row::{begin_row, write_cell};
use super::settings::Blobs;
use super::state::{Form, State, ValueProgress};
use super::syntax::{Syntax, write_base64};
use crate::cells::{Cell, Cells};
use crate::format::TableRows;
use crate::long_value::{cut_off, inconsistent, no_such_value, read_piece};
use crate::output::{Flow, Output};
use crate::pipe::{Cursor, Error};
use crate::values::decode;

/// A row of the cursor's last batch that has long values.
pub(super) struct LongRow<'r, 'o, C, S> {
    pub(super) plan: &'r Plan,
    pub(super) syntax: &'r S,
    pub(super) table: &'r TableRows<RowText>,
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
}

impl<C: Cursor, S: Syntax> LongRow<'_, '_, C, S> {
    /// Writes the row, or the rest of it from within a value on. Stops the slice only inside a long value.
    pub(super) fn write(mut self, cells: &mut Cells<'_>) -> Result<Flow, Error> {
        // All before the value in which the export resumes has been written.
        let mut resumed = self.output.end.state.value.take();
        let first = resumed.map_or(0, |value| value.column);
        if resumed.is_none() {
            begin_row(&self.table.format, self.output.buffer.text(), &mut self.output.end.state);
        }
        for (column, before) in (0..).zip(&self.table.format.before) {
            let cell = cells.next()?;
            if column < first {
                continue;
            }
            let resumed = resumed.take();
            if resumed.is_none() {
                before.append_to(self.output.buffer.text());
            }
            match cell {
                Cell::Long { text, length } => {
                    let value = LongValue { column, length, is_text: text };
                    if self.write_value(value, resumed)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                _ if resumed.is_some() => return Err(no_such_value()),
                cell => {
                    let (text, state) = (self.output.buffer.text(), &mut self.output.end.state);
                    write_cell(self.syntax, self.plan.encoding, text, cell, &mut state.losses);
                }
            }
        }
        if resumed.is_some() {
            return Err(no_such_value());
        }
        self.table.format.after.append_to(self.output.buffer.text());
        Ok(Flow::Continue)
    }

    fn write_value(
        &mut self,
        value: LongValue,
        resumed: Option<ValueProgress>,
    ) -> Result<Flow, Error> {
        let mut progress = match resumed {
            Some(progress) => progress,
            None => self.begin(value)?,
        };
        if self.stream(value, &mut progress)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let (_, closing) = self.syntax.delimiters(progress.form);
        self.output.buffer.text().extend_from_slice(closing);
        Ok(Flow::Continue)
    }

    /// Writes what a value begins with.
    fn begin(&mut self, value: LongValue) -> Result<ValueProgress, Error> {
        let form = self.form_of(value)?;
        if form == Form::Blob {
            self.output.end.state.losses.blobs += u64::from(self.syntax.blobs() != Blobs::Tagged);
        }
        let (opening, _) = self.syntax.delimiters(form);
        self.output.buffer.text().extend_from_slice(opening);
        Ok(ValueProgress { column: value.column, offset: 0, form })
    }

    /// The form of a value. Where text that is invalid has one of its own, all of it is read once to find out.
    fn form_of(&mut self, value: LongValue) -> Result<Form, Error> {
        if !value.is_text {
            return Ok(Form::Blob);
        }
        let mut offset = 0;
        while self.syntax.keeps_undecodable() && offset < value.length {
            let Some(piece) = self.read(value, offset)? else { return Ok(Form::Undecodable) };
            let is_last = offset + piece.len() as u32 == value.length;
            let decoded = decode(&piece, self.plan.encoding, is_last);
            if decoded.replaced > 0 || decoded.bytes == 0 {
                return Ok(Form::Undecodable);
            }
            offset += decoded.bytes as u32;
        }
        Ok(Form::Text)
    }

    /// Writes a value's bytes from where it has come.
    fn stream(&mut self, value: LongValue, progress: &mut ValueProgress) -> Result<Flow, Error> {
        // All pieces of a row count from the position before it.
        self.output.end.after = Some(self.cursor.position(self.row)?);
        while progress.offset < value.length {
            let Some(piece) = self.read(value, progress.offset)? else {
                // What is left of it is lost, and reported.
                let lost = cut_off(self.table, value.column, value.length, progress.offset);
                self.output.damaged.push(lost);
                break;
            };
            let is_last = progress.offset + piece.len() as u32 == value.length;
            let written = self.write_piece(&piece, progress.form, is_last);
            if written == 0 {
                return Err(inconsistent());
            }
            progress.offset += written as u32;
            if self.output.buffer.is_full() {
                self.output.end.state.value = Some(*progress);
                if self.output.cut()? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if progress.offset < value.length && self.output.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        self.output.end.state.value = None;
        Ok(Flow::Continue)
    }

    /// Writes a piece of a value, and gives how many of its bytes that was: characters and groups of base64 stay whole.
    fn write_piece(&mut self, piece: &[u8], form: Form, is_last: bool) -> usize {
        let (to, state) = (self.output.buffer.text(), &mut self.output.end.state);
        let groups = if is_last { piece } else { &piece[..piece.len() / 3 * 3] };
        match form {
            Form::Text => {
                let decoded = decode(piece, self.plan.encoding, is_last);
                let text = decoded.text.as_bytes();
                state.losses.count_nuls(&self.syntax.write_escaped(to, text), text);
                state.losses.replaced += decoded.replaced;
                decoded.bytes
            }
            Form::Undecodable => {
                write_base64(to, groups);
                groups.len()
            }
            Form::Blob => {
                self.syntax.write_bytes(to, groups);
                groups.len()
            }
        }
    }

    fn read(&mut self, value: LongValue, offset: u32) -> Result<Option<Vec<u8>>, Error> {
        let cell = (self.row, value.column);
        let range = (offset, value.length);
        read_piece(self.cursor, cell, range, BATCH_BYTES, self.plan.skip_damaged)
    }
}
