//! One slice: a format's steps from the checkpoint on, until the budget is spent or the end reached.

use alloc::format;
use alloc::string::String;

use crate::cells::Cells;
use crate::checkpoint::{Checkpoint, CheckpointText};
use crate::format::{Format, Step, TableRows};
use crate::open_scans::OpenScans;
use crate::output::{Flow, Output};
use crate::pipe::{
    Batch, Budget, Cursor, Error, More, Options, Outcome, Pacing, Parts, Progress, Rows, RowsError,
    SliceResult, Summary,
};

/// Checks the options against the schema and gives the first checkpoint.
pub(crate) fn start<F: Format>(rows: &impl Rows, options: &Options) -> Result<String, Error> {
    let format = F::new(&rows.describe()?, options)?;
    Checkpoint::<F::State>::first(options.clone(), format.digest()).encode()
}

/// Does one slice from a checkpoint on.
pub(crate) fn resume<F: Format>(
    rows: &impl Rows,
    parts: &mut dyn Parts,
    pacing: &dyn Pacing,
    from: CheckpointText<'_>,
    budget: Budget,
) -> Result<SliceResult, Error> {
    let checkpoint: Checkpoint<F::State> = from.decode()?;
    let format = F::new(&rows.describe()?, &checkpoint.options)?;
    if format.digest() != checkpoint.plan {
        return Err(Error::InvalidCheckpoint(String::from(
            "the checkpoint belongs to a database with another schema: start the export over",
        )));
    }
    let slice = Slice {
        rows,
        open_scans: OpenScans::new(),
        format: &format,
        output: Output::new(checkpoint, parts, pacing, budget),
    };
    slice.run()
}

/// One slice at work.
struct Slice<'a, R: Rows, F: Format> {
    rows: &'a R,
    open_scans: OpenScans<R::Cursor>,
    format: &'a F,
    output: Output<'a, F::State>,
}

impl<R: Rows, F: Format> Slice<'_, R, F> {
    fn run(mut self) -> Result<SliceResult, Error> {
        let format = self.format;
        // The carry of a row much larger than a part holds whole parts.
        let mut flow = self.output.cut()?;
        while flow == Flow::Continue
            && let Some(step) = format.steps().get(self.output.end.step as usize)
        {
            flow = match step {
                Step::Text(text) => self.text(text)?,
                Step::Rows(table) => self.table(table)?,
                Step::End => {
                    self.text(&format.end(self.output.counts, self.output.damaged.len()))?
                }
            };
            if flow == Flow::Continue && self.output.should_stop() {
                flow = Flow::Stop;
            }
        }
        match flow {
            Flow::Continue => self.done(),
            Flow::Stop => self.more(),
        }
    }

    fn done(mut self) -> Result<SliceResult, Error> {
        let bytes = self.output.finish()?;
        let summary = Summary {
            tables: self.output.counts.tables,
            rows: self.output.counts.rows,
            bytes,
            parts: self.output.buffer.written(),
            warnings: [self.format.warnings(), &self.output.warnings].concat(),
            damaged: self.output.damaged.clone(),
        };
        let (_, tables) = self.output.into_saved();
        Ok(SliceResult { outcome: Outcome::Done(summary), tables })
    }

    /// Ends the slice at the last part's end.
    fn more(self) -> Result<SliceResult, Error> {
        let bytes = self.output.buffer.bytes_written();
        let (saved, tables) = self.output.into_saved();
        let table = match self.format.steps().get(saved.resume_at.step as usize) {
            Some(Step::Rows(table)) => Some(String::from_utf8_lossy(&table.table).into_owned()),
            _ => None,
        };
        let progress = Progress {
            table,
            tables: saved.counts.tables,
            rows: saved.counts.rows,
            bytes,
            parts: saved.parts,
        };
        let outcome = Outcome::More(More { checkpoint: saved.encode()?, progress });
        Ok(SliceResult { outcome, tables })
    }

    fn text(&mut self, text: &[u8]) -> Result<Flow, Error> {
        self.output.buffer.text().extend_from_slice(text);
        self.output.end_step()
    }

    /// The rows of one table, from the position in it where the text ends.
    fn table(&mut self, table: &TableRows<F::Table>) -> Result<Flow, Error> {
        let format = self.format;
        let step = self.output.end.step;
        if F::LISTS_TABLES && table.counted {
            self.output.begin_table();
        }
        let max_rows = format.max_rows().filter(|_| table.counted);
        if max_rows == Some(0) {
            return self.end_table(table, 0);
        }
        let mut cursor = match self.open_scans.take(step) {
            Some(opened) => opened?,
            None => {
                let after = self.output.end.after.as_deref();
                self.rows.scan(&table.table, &table.columns, after)?
            }
        };
        if max_rows.is_none() {
            self.open_scans.fill(self.rows, format.steps(), step);
        }
        let mut batches = 0;
        let mut is_behind_gap = false;
        // The last slice may have ended behind the last row.
        while max_rows.is_none_or(|most| self.output.end.rows < most) {
            let batch = match cursor.next(format.batch_bytes()) {
                Err(RowsError::Corrupt(_)) if format.skips_damaged() => {
                    // Twice in a row: nothing behind the damage can be reached.
                    if is_behind_gap {
                        break;
                    }
                    is_behind_gap = true;
                    self.output.end.gaps += 1;
                    format.write_gap(&mut self.output.buffer, &mut self.output.end.state);
                    continue;
                }
                batch => batch?,
            };
            is_behind_gap = false;
            if batch.rows == 0 {
                break;
            }
            batches += 1;
            if self.batch(table, &mut cursor, &batch, max_rows)? == Flow::Stop
                || self.output.should_stop()
            {
                return Ok(Flow::Stop);
            }
        }
        if F::is_inside_row(&self.output.end.state) {
            return Err(Error::InvalidCheckpoint(format!(
                "the checkpoint points into a row of table {:?} that does not exist: start the export over",
                String::from_utf8_lossy(&table.table)
            )));
        }
        self.end_table(table, batches)
    }

    /// Ends a table, of which so many batches were read.
    fn end_table(&mut self, table: &TableRows<F::Table>, batches: u32) -> Result<Flow, Error> {
        let format = self.format;
        self.open_scans.table_read(batches);
        let (text, state) = (&mut self.output.buffer, &mut self.output.end.state);
        self.output.warnings.extend(format.end_table(table, text, state));
        self.output.end_table(&table.table);
        self.output.report_gaps(&table.table);
        self.output.counts.tables += u32::from(table.counted);
        self.output.end_step()
    }

    /// The rows of one batch, up to `max_rows` of the table.
    fn batch(
        &mut self,
        table: &TableRows<F::Table>,
        cursor: &mut R::Cursor,
        batch: &Batch,
        max_rows: Option<u64>,
    ) -> Result<Flow, Error> {
        let (format, output) = (self.format, &mut self.output);
        let mut cells = Cells::new(batch, table.columns.len())?;
        // Whether a row is long depends on the row, never on its batch: batches begin where slices do.
        let may_be_long = cells.any_long(batch.kinds.len()) || F::is_inside_row(&output.end.state);
        for row in 0..batch.rows {
            if let Some(only) = &table.only
                && cells.skip_unless_first_is(only, table.columns.len())?
            {
                continue;
            }
            let is_long = may_be_long
                && (cells.any_long(table.columns.len()) || F::is_inside_row(&output.end.state));
            if is_long {
                if format.write_long_row(table, cursor, row, &mut cells, output)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            } else {
                let (text, state) = (&mut output.buffer, &mut output.end.state);
                format.write_row(table, &mut cells, text, state)?;
            }
            output.counts.rows += u64::from(table.counted);
            let is_last = max_rows.is_some_and(|most| {
                output.end.rows += 1;
                output.end.rows >= most
            });
            if output.buffer.is_full() {
                output.end.after = Some(cursor.position(row + 1)?);
                if output.cut()? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(Flow::Continue)
    }
}
