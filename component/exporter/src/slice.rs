//! One slice: the plan's steps from the checkpoint on, until the budget is spent or the end reached.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::batch::{Cell, Cells};
use crate::checkpoint::{Checkpoint, Counts, Place, SMALLEST_PART, ValuePlace};
use crate::part::PartBuffer;
use crate::plan::{Plan, Step, TableRows};
use crate::sql::{self, CellWriter};
use crate::{
    Budget, Cursor, Error, More, Options, Outcome, Pacing, Parts, Progress, Rows, Summary,
};

/// Text and blob bytes a batch may hold, and the size of the pieces of a long value. With batches of
/// 256 KiB the crossing cost is lost in the noise, and memory stays small.
const BATCH_BYTES: u32 = 256 * 1024;

/// Checks the options against the schema and gives the first checkpoint.
pub fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
    if options.part_size < SMALLEST_PART {
        return Err(Error::InvalidOptions(format!(
            "a part size of {} bytes is too small: {SMALLEST_PART} is the least",
            options.part_size
        )));
    }
    let plan = plan(rows, options)?;
    Checkpoint::first(options, plan.digest()).encode()
}

/// Does one slice from a checkpoint on.
pub fn resume<R: Rows>(
    rows: &R,
    parts: &mut impl Parts,
    pacing: &impl Pacing,
    from: &str,
    budget: Budget,
) -> Result<Outcome, Error> {
    let checkpoint = Checkpoint::decode(from)?;
    let plan = plan(rows, &checkpoint.options())?;
    if plan.digest() != checkpoint.plan {
        return Err(Error::InvalidCheckpoint(String::from(
            "the checkpoint is of a database with another schema: start the export over",
        )));
    }
    let slice = Slice {
        rows,
        parts,
        pacing,
        cells: CellWriter::new(plan.encoding),
        budget: budget.parts.max(1),
        written: 0,
        buffer: PartBuffer::new(checkpoint.options.part_size, checkpoint.parts, &checkpoint.carry),
        place: checkpoint.place.clone(),
        counts: checkpoint.counts,
        saved: checkpoint,
    };
    slice.run(&plan)
}

fn plan(rows: &impl Rows, options: &Options) -> Result<Plan, Error> {
    match options.format.as_str() {
        "sql" => sql::plan(&rows.describe()?, options),
        other => Err(Error::InvalidOptions(format!(
            "this component knows no format {other:?}: it writes \"sql\""
        ))),
    }
}

/// Whether a slice goes on.
#[derive(PartialEq)]
enum Flow {
    On,
    Stop,
}

struct Slice<'a, R, P, C> {
    rows: &'a R,
    parts: &'a mut P,
    pacing: &'a C,
    cells: CellWriter,
    /// Parts this slice may write.
    budget: u32,
    /// Parts this slice has written.
    written: u32,
    buffer: PartBuffer,
    /// Where the text in the buffer ends.
    place: Place,
    counts: Counts,
    /// The checkpoint as of the last part's end.
    saved: Checkpoint,
}

impl<R: Rows, P: Parts, C: Pacing> Slice<'_, R, P, C> {
    fn run(mut self, plan: &Plan) -> Result<Outcome, Error> {
        // The carry of a row much larger than a part holds whole parts.
        let mut flow = self.cut()?;
        while flow == Flow::On
            && let Some(step) = plan.steps.get(self.place.step as usize)
        {
            flow = match step {
                Step::Text(text) => self.text(text)?,
                Step::Rows(table) => self.table(table)?,
                Step::EndMark => self.text(&sql::end_mark(self.counts.tables, self.counts.rows))?,
            };
            if flow == Flow::On && self.should_stop() {
                flow = Flow::Stop;
            }
        }
        if flow == Flow::Stop {
            return self.more(plan);
        }
        let bytes = self.buffer.finish(self.parts)?;
        Ok(Outcome::Done(Summary {
            tables: self.counts.tables,
            rows: self.counts.rows,
            bytes,
            parts: self.buffer.written(),
            warnings: plan.warnings.clone(),
        }))
    }

    /// Ends the slice at the last part's end. What the buffer holds beyond is thrown away.
    fn more(self, plan: &Plan) -> Result<Outcome, Error> {
        let table = match plan.steps.get(self.saved.place.step as usize) {
            Some(Step::Rows(table)) => Some(String::from_utf8_lossy(&table.table).into_owned()),
            _ => None,
        };
        let progress = Progress {
            table,
            tables: self.saved.counts.tables,
            rows: self.saved.counts.rows,
            bytes: self.buffer.bytes_written(),
            parts: self.saved.parts,
        };
        Ok(Outcome::More(More { checkpoint: self.saved.encode()?, progress }))
    }

    /// A slice may stop early once it has written a part.
    fn should_stop(&self) -> bool {
        self.written > 0 && self.pacing.should_yield()
    }

    fn next_step(&mut self) {
        self.place = Place { step: self.place.step + 1, ..Place::default() };
    }

    fn text(&mut self, text: &[u8]) -> Result<Flow, Error> {
        self.buffer.text().extend_from_slice(text);
        self.next_step();
        self.cut()
    }

    /// Cuts what parts there are, and saves the place behind them. The place must be true: all text
    /// in the buffer belongs before it.
    fn cut(&mut self) -> Result<Flow, Error> {
        if !self.buffer.is_full() {
            return Ok(Flow::On);
        }
        self.written += self.buffer.cut(self.budget - self.written, self.parts)?;
        self.saved.place = self.place.clone();
        self.saved.counts = self.counts;
        self.saved.parts = self.buffer.written();
        self.saved.carry = self.buffer.carry().to_vec();
        Ok(if self.written == self.budget { Flow::Stop } else { Flow::On })
    }

    fn table(&mut self, table: &TableRows) -> Result<Flow, Error> {
        let mut cursor =
            self.rows.scan(&table.table, &table.columns, self.place.after.as_deref())?;
        loop {
            let batch = cursor.next(BATCH_BYTES)?;
            if batch.rows == 0 {
                break;
            }
            let mut cells = Cells::new(&batch, table.columns.len())?;
            for row in 0..batch.rows {
                if self.row(table, &mut cursor, row, &mut cells)? == Flow::Stop {
                    return Ok(Flow::Stop);
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
        if self.place.statement.is_some() {
            self.buffer.text().extend_from_slice(sql::CLOSING);
        }
        self.counts.tables += u32::from(table.counted);
        self.next_step();
        self.cut()
    }

    /// Writes one row's text. It stops the slice only inside a large value.
    fn row(
        &mut self,
        table: &TableRows,
        cursor: &mut R::Cursor,
        row: u32,
        cells: &mut Cells<'_>,
    ) -> Result<Flow, Error> {
        // On going on inside a value, all before it has been written.
        let inside = self.place.value.take();
        let first = inside.map_or(0, |value| value.column);
        let start = self.buffer.text().len();
        let begun = self.buffer.offset();
        let mut streamed = inside.is_some();
        for column in 0..table.columns.len() as u32 {
            let cell = cells.next()?;
            if column < first {
                continue;
            }
            let inside = inside.filter(|value| value.column == column);
            if inside.is_none() {
                // Each a copy of known length: others are calls out of the module.
                let text = self.buffer.text();
                match column {
                    0 if self.place.statement.is_some() => text.extend_from_slice(sql::NEXT_ROW),
                    0 => text.push(b'('),
                    _ => text.push(b','),
                }
            }
            match cell {
                Cell::Long { text, length } => {
                    if !streamed {
                        // Its row may leave the buffer before it is whole: settle now where the
                        // statement begins.
                        self.open_statement(table, start, begun, true);
                        streamed = true;
                    }
                    let value = LongValue { row, column, length, text };
                    if self.long(cursor, value, inside)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                _ if inside.is_some() => {
                    return Err(Error::InvalidCheckpoint(String::from(
                        "the checkpoint stands in a value that is not there: start the export over",
                    )));
                }
                cell => self.cells.write(self.buffer.text(), cell),
            }
        }
        self.buffer.text().push(b')');
        if !streamed {
            self.open_statement(table, start, begun, false);
        }
        Ok(Flow::On)
    }

    /// Sees to it that the row whose text begins at `start` in the buffer stands in a statement: the
    /// open one, or a new one where that would grow too long. `begun` is where in the object the
    /// row's text begins.
    ///
    /// A statement is bounded by what it holds, never by where parts or slices end, so that the
    /// bytes do not depend on them.
    fn open_statement(&mut self, table: &TableRows, start: usize, begun: u64, alone: bool) {
        let end = self.buffer.offset() + sql::CLOSING.len() as u64;
        let (row, replaced) = match self.place.statement {
            None => (begun, 0),
            Some(open) if alone || end - open > sql::STATEMENT_BYTES => {
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

    /// Writes a value that is too large for a batch, piece by piece.
    fn long(
        &mut self,
        cursor: &mut R::Cursor,
        value: LongValue,
        inside: Option<ValuePlace>,
    ) -> Result<Flow, Error> {
        let mut place = match inside {
            Some(place) => place,
            None => {
                let hex = !value.text || !self.is_plain(cursor, value)?;
                self.buffer.text().extend_from_slice(sql::value_opening(value.text, hex));
                ValuePlace { column: value.column, offset: 0, hex }
            }
        };
        // All pieces of a row count from the mark before it.
        self.place.after = Some(cursor.position(value.row)?);
        while place.offset < value.length {
            let piece = cursor.read(value.row, value.column, place.offset, BATCH_BYTES)?;
            place.offset += piece_length(&piece, value.length - place.offset)?;
            sql::write_piece(self.buffer.text(), &piece, place.hex);
            if self.buffer.is_full() {
                self.place.value = Some(place);
                if self.cut()? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if place.offset < value.length && self.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        self.place.value = None;
        self.buffer.text().extend_from_slice(sql::value_closing(value.text, place.hex));
        Ok(Flow::On)
    }

    /// Whether a long text can be written as it is. It is read once for that: most can, and are then
    /// half as long as in hexadecimal digits.
    fn is_plain(&self, cursor: &mut R::Cursor, value: LongValue) -> Result<bool, Error> {
        let mut offset = 0;
        while offset < value.length {
            let piece = cursor.read(value.row, value.column, offset, BATCH_BYTES)?;
            let last = offset + piece_length(&piece, value.length - offset)? == value.length;
            match self.cells.plain_up_to(&piece, last) {
                Some(length) if length > 0 => offset += length as u32,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A cell that is not in its batch.
#[derive(Clone, Copy)]
struct LongValue {
    row: u32,
    column: u32,
    length: u32,
    text: bool,
}

/// The length of a piece, of which at most `left` bytes can be.
fn piece_length(piece: &[u8], left: u32) -> Result<u32, Error> {
    match u32::try_from(piece.len()) {
        Ok(length) if length > 0 && length <= left => Ok(length),
        _ => Err(ended_early()),
    }
}

fn ended_early() -> Error {
    Error::ReadFailed(String::from("a long value has not the length its batch gave it"))
}
