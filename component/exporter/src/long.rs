//! Rows with values too long for a batch: read and written piece by piece, with checkpoints inside them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cells::{Cell, Cells};
use crate::checkpoint::ValuePlace;
use crate::pipe::{Cursor, Error, Pacing, Parts, Rows, RowsError};
use crate::plan::TableRows;
use crate::slice::{Flow, Slice};
use crate::sql;

/// A value that is not in its batch.
#[derive(Clone, Copy)]
struct LongValue {
    row: u32,
    column: u32,
    length: u32,
    text: bool,
    /// It is too long for its row's statement.
    rebuilt: bool,
}

impl<R: Rows, P: Parts, C: Pacing> Slice<'_, R, P, C> {
    /// Writes one row, in a statement of its own where it holds a long value: first those of its values that
    /// have to be rebuilt, then the row itself. Stops the slice only inside a long value.
    pub(crate) fn long_row(
        &mut self,
        table: &TableRows,
        cursor: &mut R::Cursor,
        row: u32,
        cells: &mut Cells<'_>,
    ) -> Result<Flow, Error> {
        let cells: Vec<Cell<'_>> =
            table.columns.iter().map(|_| cells.next()).collect::<Result<_, _>>()?;
        let values = self.long_values(row, &cells);
        // On going on inside a value, all before it has been written.
        let mut inside = self.place.value.take();
        let rebuilt = values.iter().any(|value| value.rebuilt);
        if inside.is_none() {
            self.close_statement();
            if rebuilt {
                let before = self.plan.long.scratch.before_row();
                self.buffer.text().extend_from_slice(before.as_bytes());
            }
        }
        if inside.is_none_or(|place| place.piece.is_some()) {
            let first = inside.map_or(0, |place| place.column);
            for value in values.iter().filter(|value| value.rebuilt && value.column >= first) {
                let place = inside.take();
                if self.rebuild(table, cursor, *value, place)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if inside.is_some() {
                return Err(not_there());
            }
            self.buffer.text().extend_from_slice(&table.opening);
            self.buffer.text().push(b'(');
        }
        let first = inside.map_or(0, |place| place.column);
        for (column, cell) in (0..).zip(&cells).skip(first as usize) {
            let place = inside.take();
            if place.is_none() && column > 0 {
                self.buffer.text().push(b',');
            }
            match values.iter().find(|value| value.column == column) {
                Some(value) if value.rebuilt => {
                    let value = self.plan.long.scratch.value(column);
                    self.buffer.text().extend_from_slice(value.as_bytes());
                }
                Some(value) => {
                    if self.in_place(table, cursor, *value, place)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                None if place.is_some() => return Err(not_there()),
                None => self.cells.write(self.buffer.text(), *cell),
            }
        }
        self.buffer.text().extend_from_slice(b")");
        self.buffer.text().extend_from_slice(sql::CLOSING);
        if rebuilt {
            let behind = self.plan.long.scratch.behind_row();
            self.buffer.text().extend_from_slice(behind.as_bytes());
        }
        Ok(Flow::On)
    }

    /// The row's long values. As many as the row's statement has room for stay in their place.
    fn long_values(&self, row: u32, cells: &[Cell<'_>]) -> Vec<LongValue> {
        let mut bytes = 0;
        let value = |(column, cell): (u32, &Cell<'_>)| match *cell {
            Cell::Long { text, length } => {
                bytes += u64::from(length);
                let rebuilt = bytes > self.plan.long.in_place;
                Some(LongValue { row, column, length, text, rebuilt })
            }
            _ => None,
        };
        (0..).zip(cells).filter_map(value).collect()
    }

    /// Writes what a value begins with, and gives the place behind that.
    fn begin(&mut self, cursor: &mut R::Cursor, value: LongValue) -> Result<ValuePlace, Error> {
        let hex = self.needs_hex(cursor, value)?;
        let text = self.buffer.text();
        if value.rebuilt {
            let begin = self.plan.long.scratch.begin(value.column, value.text);
            text.extend_from_slice(begin.as_bytes());
        } else {
            text.extend_from_slice(sql::value_opening(value.text, hex));
        }
        let piece = value.rebuilt.then_some(0);
        Ok(ValuePlace { column: value.column, offset: 0, hex, piece })
    }

    /// Writes a value where it stands in its row.
    fn in_place(
        &mut self,
        table: &TableRows,
        cursor: &mut R::Cursor,
        value: LongValue,
        place: Option<ValuePlace>,
    ) -> Result<Flow, Error> {
        let mut place = match place {
            Some(place) => place,
            None => self.begin(cursor, value)?,
        };
        if self.stream(table, cursor, value, &mut place, value.length)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.buffer.text().extend_from_slice(sql::value_closing(value.text, place.hex));
        Ok(Flow::On)
    }

    /// Writes the statements that rebuild a value.
    fn rebuild(
        &mut self,
        table: &TableRows,
        cursor: &mut R::Cursor,
        value: LongValue,
        place: Option<ValuePlace>,
    ) -> Result<Flow, Error> {
        let mut place = match place {
            Some(place) => place,
            None => self.begin(cursor, value)?,
        };
        loop {
            let start = place.piece.unwrap_or_default();
            if place.offset == start {
                let opening = self.plan.long.scratch.piece_opening(value.text, place.hex);
                self.buffer.text().extend_from_slice(opening.as_bytes());
            }
            let until = start.saturating_add(self.plan.long.piece).min(value.length);
            if self.stream(table, cursor, value, &mut place, until)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            let closing = self.plan.long.scratch.piece_closing(value.column, value.text, place.hex);
            self.buffer.text().extend_from_slice(&closing);
            if place.offset >= value.length {
                return Ok(Flow::On);
            }
            place.piece = Some(place.offset);
        }
    }

    /// Writes a value's bytes from the place up to `until`, or to the end of the last character before that.
    fn stream(
        &mut self,
        table: &TableRows,
        cursor: &mut R::Cursor,
        value: LongValue,
        place: &mut ValuePlace,
        until: u32,
    ) -> Result<Flow, Error> {
        // All pieces of a row count from the mark before it.
        self.place.after = Some(cursor.position(value.row)?);
        while place.offset < until {
            let length = (until - place.offset).min(self.plan.long.batch_bytes);
            let piece = match cursor.read(value.row, value.column, place.offset, length) {
                // What is left of it is lost, and said to be.
                Err(RowsError::Corrupt(_)) if self.plan.skip_damaged => {
                    self.cut_off(table, value, place.offset);
                    place.offset = value.length;
                    break;
                }
                piece => piece?,
            };
            let end = place.offset + piece_length(&piece, until - place.offset)?;
            let mut piece = &piece[..];
            if !place.hex && end < value.length {
                // Statements are text by themselves: none begins or ends inside a character.
                piece = &piece[..sql::whole_characters(piece)];
                if piece.is_empty() && end == until {
                    break;
                }
            }
            if piece.is_empty() {
                return Err(changed());
            }
            place.offset += piece.len() as u32;
            sql::write_piece(self.buffer.text(), piece, place.hex);
            if self.buffer.is_full() {
                self.place.value = Some(*place);
                if self.cut()? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if place.offset < until && self.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        self.place.value = None;
        Ok(Flow::On)
    }

    /// Remembers that a value is not whole.
    fn cut_off(&mut self, table: &TableRows, value: LongValue, offset: u32) {
        let column =
            table.columns.get(value.column as usize).map(Vec::as_slice).unwrap_or_default();
        let (table, column) =
            (String::from_utf8_lossy(&table.table), String::from_utf8_lossy(column));
        self.damaged.push(format!(
            "{table}, where a value of {} bytes in column {column} is cut off at byte {offset}",
            value.length
        ));
    }

    /// Whether a value has to be written in hexadecimal digits: a blob, and text that can't be written as it is.
    /// Text is read once for that: most can, and is then half as long.
    fn needs_hex(&self, cursor: &mut R::Cursor, value: LongValue) -> Result<bool, Error> {
        let mut offset = 0;
        while value.text && offset < value.length {
            let length = (value.length - offset).min(self.plan.long.batch_bytes);
            let piece = match cursor.read(value.row, value.column, offset, length) {
                Err(RowsError::Corrupt(_)) if self.plan.skip_damaged => return Ok(true),
                piece => piece?,
            };
            let last = offset + piece_length(&piece, value.length - offset)? == value.length;
            match self.cells.plain_up_to(&piece, last) {
                Some(length) if length > 0 => offset += length as u32,
                _ => return Ok(true),
            }
        }
        Ok(!value.text)
    }
}

/// The length of a piece, of which at most `left` bytes can be.
fn piece_length(piece: &[u8], left: u32) -> Result<u32, Error> {
    match u32::try_from(piece.len()) {
        Ok(length) if length > 0 && length <= left => Ok(length),
        _ => Err(changed()),
    }
}

fn changed() -> Error {
    Error::ReadFailed(String::from("a long value is not what its batch said"))
}

fn not_there() -> Error {
    let text = "the checkpoint stands in a value that is not there: start the export over";
    Error::InvalidCheckpoint(String::from(text))
}
