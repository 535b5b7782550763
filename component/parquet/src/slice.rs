//! One slice: of the look at the rows, or row groups, and the footer behind them, until the budget is spent or the end
//! reached.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use partway_format::cells::{Cell, Cells};
use partway_format::pipe::{
    Batch, Budget, Cursor, Error, More, Options, Outcome, Pacing, Parts, Position, Progress, Rows,
    RowsError, Summary,
};

use crate::checkpoint::{Checkpoint, SMALLEST_PART};
use crate::column_chunk::ChunkMetadata;
use crate::footer::{Footer, MAGIC};
use crate::long_row::{Failure, LARGE, LargeRow, bytes, read_whole};
use crate::look::Look;
use crate::metadata::{RowGroupMetadata, RowGroups};
use crate::output::{Flow, Output, Place, Unit};
use crate::page::Pages;
use crate::plan::{BATCH_BYTES, Plan};
use crate::row_group::RowGroup;
use crate::types::ColumnType;

/// Checks the options against the schema and gives the first checkpoint.
///
/// # Errors
///
/// [`Error::InvalidOptions`] where the options make no sense or name what the database does not have, and the
/// errors of reading the schema.
pub fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
    if options.part_size < SMALLEST_PART {
        return Err(Error::InvalidOptions(format!(
            "a part size of {} bytes is too small: use at least {SMALLEST_PART}",
            options.part_size
        )));
    }
    let plan = Plan::new(&rows.describe()?, options)?;
    Checkpoint::first(options.clone(), plan.digest(), MAGIC.len() as u64).encode()
}

/// Does one slice from a checkpoint on. After an error the same call may be made again.
///
/// # Errors
///
/// [`Error::InvalidCheckpoint`] where the checkpoint is damaged, of another version or of a database with
/// another schema, [`Error::InvalidOptions`] where a value does not fit the type that is declared for it, and the
/// errors of reading rows and writing parts.
pub fn resume(
    rows: &impl Rows,
    parts: &mut impl Parts,
    pacing: &impl Pacing,
    from: &str,
    budget: Budget,
) -> Result<Outcome, Error> {
    let mut checkpoint = Checkpoint::decode(from)?;
    let plan = Plan::new(&rows.describe()?, &checkpoint.options)?;
    if plan.digest() != checkpoint.plan {
        return Err(Error::InvalidCheckpoint(String::from(
            "the checkpoint belongs to a database with another schema: start the export over",
        )));
    }
    let Some(types) = checkpoint.types.clone().or_else(|| plan.declared_types()) else {
        return look(rows, pacing, &plan, checkpoint);
    };
    checkpoint.types = Some(types.clone());
    let unit = Unit {
        place: checkpoint.place.clone(),
        groups: checkpoint.groups.mark(),
        damaged: checkpoint.damaged.len(),
    };
    // The first unit begins with the file.
    let begins = if checkpoint.groups.count == 0 { 0 } else { checkpoint.groups.end };
    let so_far = (checkpoint.options.part_size, checkpoint.parts);
    let output = Output::new(so_far, (unit, begins), (parts, pacing), budget);
    let output = output.filter(|_| types.len() == plan.columns.len()).ok_or_else(does_not_fit)?;
    let slice = Slice {
        rows,
        plan: &plan,
        types: &types,
        pages: Pages::new(plan.settings.compression),
        group: RowGroup::new(&types, plan.encoding),
        gaps: checkpoint.place.gaps,
        groups: checkpoint.groups.clone(),
        damaged: checkpoint.damaged.clone(),
        output,
    };
    slice.run(checkpoint)
}

/// A slice of the look at the rows. It writes nothing: the next one begins the file, or goes on to look.
fn look(
    rows: &impl Rows,
    pacing: &impl Pacing,
    plan: &Plan,
    mut checkpoint: Checkpoint,
) -> Result<Outcome, Error> {
    let mut look = checkpoint.look.take().unwrap_or_else(|| Look::new(plan));
    if !look.fits(plan) {
        return Err(does_not_fit());
    }
    match look.resume(plan, rows, pacing)? {
        Flow::Continue => {
            let (types, warnings) = look.types(plan);
            checkpoint.types = Some(types);
            checkpoint.warnings = warnings;
        }
        Flow::Stop => checkpoint.look = Some(look),
    }
    let table = Some(String::from_utf8_lossy(&plan.table).into_owned());
    let progress = Progress { table, tables: 0, rows: 0, bytes: 0, parts: 0 };
    Ok(Outcome::More(More { checkpoint: checkpoint.encode()?, progress }))
}

fn does_not_fit() -> Error {
    Error::InvalidCheckpoint(String::from(
        "the checkpoint is damaged (it does not fit together): start the export over",
    ))
}

/// One slice at work.
struct Slice<'a, R> {
    rows: &'a R,
    plan: &'a Plan,
    types: &'a [ColumnType],
    pages: Pages,
    /// The rows that are not written yet.
    group: RowGroup<'a>,
    /// Damaged places so far.
    gaps: u32,
    groups: RowGroups,
    /// Damaged values so far.
    damaged: Vec<String>,
    output: Output<'a>,
}

impl<R: Rows> Slice<'_, R> {
    fn run(mut self, checkpoint: Checkpoint) -> Result<Outcome, Error> {
        let mut flow = Flow::Continue;
        if self.groups.count == 0 {
            flow = self.output.push(MAGIC)?;
        }
        if flow == Flow::Continue && !self.output.unit.place.is_footer {
            flow = self.table()?;
        }
        if flow == Flow::Continue {
            flow = self.footer()?;
        }
        match flow {
            Flow::Continue => self.done(checkpoint),
            Flow::Stop => self.more(checkpoint),
        }
    }

    fn done(mut self, checkpoint: Checkpoint) -> Result<Outcome, Error> {
        let bytes = self.output.finish()?;
        let name = String::from_utf8_lossy(&self.plan.table).into_owned();
        match self.gaps {
            0 => {}
            1 => self.damaged.push(name),
            gaps => self.damaged.push(format!("{name}, where rows are missing in {gaps} places")),
        }
        Ok(Outcome::Done(Summary {
            tables: 1,
            rows: self.groups.rows,
            bytes,
            parts: self.output.count(),
            warnings: [&self.plan.warnings[..], &checkpoint.warnings].concat(),
            damaged: self.damaged,
        }))
    }

    /// Ends the slice at the last part's end.
    fn more(mut self, mut checkpoint: Checkpoint) -> Result<Outcome, Error> {
        let Unit { place, groups, damaged } = self.output.saved().clone();
        // Its rows are made again: their memory is for the checkpoint.
        drop(self.group.take());
        self.groups.truncate(groups);
        self.damaged.truncate(damaged);
        let progress = Progress {
            table: (!place.is_footer)
                .then(|| String::from_utf8_lossy(&self.plan.table).into_owned()),
            tables: place.is_footer.into(),
            rows: self.groups.rows,
            bytes: self.output.bytes(),
            parts: self.output.count(),
        };
        checkpoint.place = place;
        checkpoint.groups = self.groups;
        checkpoint.damaged = self.damaged;
        checkpoint.parts = self.output.count();
        Ok(Outcome::More(More { checkpoint: checkpoint.encode()?, progress }))
    }

    fn footer(&mut self) -> Result<Flow, Error> {
        let place = Place { is_footer: true, gaps: self.gaps, after: None };
        let (groups, damaged) = (self.groups.mark(), self.damaged.len());
        self.output.unit = Unit { place, groups, damaged };
        let names = self.plan.columns.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        let columns: Vec<_> = names.zip(self.types.iter().copied()).collect();
        let footer = Footer {
            columns: &columns,
            compression: self.plan.settings.compression,
            groups: &self.groups,
            damaged: self.damaged.len() + self.gaps as usize,
        };
        let output = &mut self.output;
        let is_whole = footer.write(|bytes| Ok(output.push(bytes)? == Flow::Continue))?;
        Ok(if is_whole { Flow::Continue } else { Flow::Stop })
    }

    /// The rows, from the first one that is not in a row group that is written.
    fn table(&mut self) -> Result<Flow, Error> {
        if self.is_limit_reached() {
            return Ok(Flow::Continue);
        }
        let plan = self.plan;
        let after = self.output.unit.place.after.clone();
        let mut cursor = self.rows.scan(&plan.table, &plan.columns, after.as_deref())?;
        let mut is_behind_gap = false;
        while !self.is_limit_reached() {
            let batch = match cursor.next(BATCH_BYTES) {
                Err(RowsError::Corrupt(_)) if plan.settings.skip_damaged => {
                    // Twice in a row: nothing behind the damage can be reached.
                    if is_behind_gap {
                        break;
                    }
                    is_behind_gap = true;
                    self.gaps += 1;
                    continue;
                }
                batch => batch?,
            };
            is_behind_gap = false;
            if batch.rows == 0 {
                break;
            }
            if self.batch(&mut cursor, &batch)? == Flow::Stop || self.output.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        self.end_group(None)
    }

    fn is_limit_reached(&self) -> bool {
        self.plan.max_rows.is_some_and(|most| self.groups.rows + self.group.rows >= most)
    }

    /// The rows of one batch, up to the limit.
    fn batch(&mut self, cursor: &mut R::Cursor, batch: &Batch) -> Result<Flow, Error> {
        let columns = self.types.len();
        let limit = self.plan.settings.row_group;
        let mut cells = Cells::new(batch, columns)?;
        let has_long = cells.any_long(batch.kinds.len());
        for row in 0..batch.rows {
            if self.is_limit_reached() {
                break;
            }
            if has_long && cells.any_long(columns) {
                if self.long_row(cursor, row, &mut cells)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            } else {
                for column in 0..columns {
                    let cell = cells.next()?;
                    if let Err(what) = self.group.push(column, cell, &mut self.pages) {
                        return Err(self.misfit(column, what));
                    }
                }
                self.group.rows += 1;
            }
            if self.group.is_full(limit)
                && self.end_group(Some(cursor.position(row + 1)?))? == Flow::Stop
            {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// A row with values that are not in the batch.
    #[cold]
    fn long_row(
        &mut self,
        cursor: &mut R::Cursor,
        row: u32,
        cells: &mut Cells<'_>,
    ) -> Result<Flow, Error> {
        let cells: Vec<Cell<'_>> =
            (0..self.types.len()).map(|_| cells.next()).collect::<Result<_, _>>()?;
        let bytes = bytes(&cells);
        if (bytes > LARGE && self.group.rows > 0)
            || self.group.ends_before(bytes, self.plan.settings.row_group)
        {
            let before = cursor.position(row)?;
            if self.end_group(Some(before))? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        if bytes > LARGE {
            return self.large_row(cursor, row, &cells);
        }
        for (column, cell) in cells.iter().enumerate() {
            let value;
            let cell = match *cell {
                Cell::Long { text, length } => {
                    let at = (row, column as u32);
                    let skips = self.plan.settings.skip_damaged;
                    value = read_whole(cursor, at, length, skips)?;
                    match &value {
                        Some(value) if text => Cell::Text(value),
                        Some(value) => Cell::Blob(value),
                        None => {
                            self.lost_value(column, length);
                            Cell::Null
                        }
                    }
                }
                cell => cell,
            };
            if let Err(what) = self.group.push(column, cell, &mut self.pages) {
                return Err(self.misfit(column, what));
            }
        }
        self.group.rows += 1;
        Ok(Flow::Continue)
    }

    /// A row that is a row group by itself.
    fn large_row(
        &mut self,
        cursor: &mut R::Cursor,
        row: u32,
        cells: &[Cell<'_>],
    ) -> Result<Flow, Error> {
        let large = LargeRow {
            plan: self.plan,
            types: self.types,
            cursor,
            row,
            pages: &mut self.pages,
            output: &mut self.output,
        };
        let columns = large.write(cells).map_err(|failure| match failure {
            Failure::Misfit(column, what) => self.misfit(column, what),
            Failure::Error(error) => error,
        })?;
        match columns {
            None => Ok(Flow::Stop),
            Some(columns) => self.next_unit(1, columns, Some(cursor.position(row + 1)?)),
        }
    }

    /// Writes the row group in memory, if it has rows. What follows begins after a position; none: nothing follows.
    fn end_group(&mut self, after: Option<Position>) -> Result<Flow, Error> {
        if self.group.rows == 0 {
            return Ok(Flow::Continue);
        }
        let rows = core::mem::take(&mut self.group.rows);
        let mut columns = Vec::with_capacity(self.types.len());
        for chunk in self.group.take() {
            let (pages, metadata) = chunk.finish(&mut self.pages);
            for page in pages {
                if self.output.push(&page.bytes)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            columns.push(metadata);
        }
        self.next_unit(rows, columns, after)
    }

    /// A row group is written.
    fn next_unit(
        &mut self,
        rows: u64,
        columns: Vec<ChunkMetadata>,
        after: Option<Position>,
    ) -> Result<Flow, Error> {
        if !self.groups.push(RowGroupMetadata { rows, columns }) {
            return Err(Error::InvalidOptions(format!(
                "table {} is too long for one Parquet file: after {} rows its {} columns have as many row groups as a \
                 checkpoint can hold; export it in several files, each with some of its rows",
                self.plan.table_name(),
                self.groups.rows,
                self.types.len()
            )));
        }
        self.output.unit = Unit {
            place: Place { after, is_footer: false, gaps: self.gaps },
            groups: self.groups.mark(),
            damaged: self.damaged.len(),
        };
        Ok(if self.output.should_stop() { Flow::Stop } else { Flow::Continue })
    }

    /// Reports a value that can't be read.
    fn lost_value(&mut self, column: usize, length: u32) {
        let column = self.plan.columns.get(column).map(Vec::as_slice).unwrap_or_default();
        self.damaged.push(format!(
            "{}, where a value of {length} bytes in column {} is NULL",
            String::from_utf8_lossy(&self.plan.table),
            String::from_utf8_lossy(column),
        ));
    }

    /// That a value of the row that follows does not fit its column's type.
    #[cold]
    fn misfit(&self, column: usize, what: &str) -> Error {
        let of_what = self.types.get(column).map_or("values", |of| of.of_what());
        Error::InvalidOptions(format!(
            "row {} of table {} has {what} in column {}, which is exported as {of_what} because it is declared so: let \
             the columns' types be chosen by what is stored (types=stored)",
            self.groups.rows + self.group.rows + 1,
            self.plan.table_name(),
            self.plan.column_name(column)
        ))
    }
}
