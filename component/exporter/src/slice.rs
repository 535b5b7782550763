//! One slice: the plan's steps from the checkpoint on, until the budget is spent or the end reached.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::checkpoint::{Checkpoint, Counts, Place, SMALLEST_PART};
use crate::open_scans::OpenScans;
use crate::part_buffer::PartBuffer;
use crate::pipe::{Budget, Error, More, Options, Outcome, Pacing, Parts, Progress, Rows, Summary};
use crate::plan::{Plan, Step};
use crate::sql::{self, CellWriter};

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
        open_scans: OpenScans::new(),
        parts,
        pacing,
        plan: &plan,
        cells: CellWriter::new(plan.encoding, plan.raw_returns),
        budget: budget.parts.max(1),
        written: 0,
        buffer: PartBuffer::new(checkpoint.options.part_size, checkpoint.parts, &checkpoint.carry),
        place: checkpoint.place.clone(),
        counts: checkpoint.counts,
        damaged: checkpoint.damaged.clone(),
        saved: checkpoint,
    };
    slice.run()
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
pub(crate) enum Flow {
    On,
    Stop,
}

/// One slice at work.
pub(crate) struct Slice<'a, R: Rows, P, C> {
    pub(crate) rows: &'a R,
    pub(crate) open_scans: OpenScans<R::Cursor>,
    parts: &'a mut P,
    pacing: &'a C,
    pub(crate) plan: &'a Plan,
    pub(crate) cells: CellWriter,
    /// Parts this slice may write.
    budget: u32,
    /// Parts this slice has written.
    written: u32,
    pub(crate) buffer: PartBuffer,
    /// Where the text in the buffer ends.
    pub(crate) place: Place,
    pub(crate) counts: Counts,
    /// Tables that could not be read to their end.
    pub(crate) damaged: Vec<String>,
    /// The checkpoint as of the last part's end.
    saved: Checkpoint,
}

impl<R: Rows, P: Parts, C: Pacing> Slice<'_, R, P, C> {
    fn run(mut self) -> Result<Outcome, Error> {
        // The carry of a row much larger than a part holds whole parts.
        let mut flow = self.cut()?;
        while flow == Flow::On
            && let Some(step) = self.plan.steps.get(self.place.step as usize)
        {
            flow = match step {
                Step::Text(text) => self.text(text)?,
                Step::Rows(table) => self.table(table)?,
                Step::EndMark => {
                    let Counts { tables, rows } = self.counts;
                    self.text(&sql::end_mark(tables, rows, self.damaged.len()))?
                }
            };
            if flow == Flow::On && self.should_stop() {
                flow = Flow::Stop;
            }
        }
        if flow == Flow::Stop {
            return self.more();
        }
        let bytes = self.buffer.finish(self.parts)?;
        Ok(Outcome::Done(Summary {
            tables: self.counts.tables,
            rows: self.counts.rows,
            bytes,
            parts: self.buffer.written(),
            warnings: self.plan.warnings.clone(),
            damaged: self.damaged,
        }))
    }

    /// Ends the slice at the last part's end. What the buffer holds beyond is thrown away.
    fn more(self) -> Result<Outcome, Error> {
        let table = match self.plan.steps.get(self.saved.place.step as usize) {
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
    pub(crate) fn should_stop(&self) -> bool {
        self.written > 0 && self.pacing.should_yield()
    }

    pub(crate) fn next_step(&mut self) {
        self.place = Place { step: self.place.step + 1, ..Place::default() };
    }

    fn text(&mut self, text: &[u8]) -> Result<Flow, Error> {
        self.buffer.text().extend_from_slice(text);
        self.next_step();
        self.cut()
    }

    /// Cuts what parts there are, and saves the place behind them. The place must be true: all text
    /// in the buffer belongs before it.
    pub(crate) fn cut(&mut self) -> Result<Flow, Error> {
        if !self.buffer.is_full() {
            return Ok(Flow::On);
        }
        self.written += self.buffer.cut(self.budget - self.written, self.parts)?;
        self.saved.place = self.place.clone();
        self.saved.counts = self.counts;
        self.saved.damaged.clone_from(&self.damaged);
        self.saved.parts = self.buffer.written();
        self.saved.carry = self.buffer.carry().to_vec();
        Ok(if self.written == self.budget { Flow::Stop } else { Flow::On })
    }
}
