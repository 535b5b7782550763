//! Where a slice's text goes: parts are cut from it, and the checkpoint is taken where a part ends.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{Checkpoint, Counts, ResumePoint};
use crate::contents::EndedTables;
use crate::part_buffer::PartBuffer;
use crate::pipe::{Budget, Error, Pacing, Parts, TableContents};

/// Whether a slice continues.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// The text of one slice, for a format whose state within a table is an `S`.
pub(crate) struct Output<'a, S> {
    parts: &'a mut dyn Parts,
    pacing: &'a dyn Pacing,
    /// Parts this slice may write.
    budget: u32,
    /// Parts this slice has written.
    written: u32,
    pub(crate) buffer: PartBuffer,
    /// Where the text in the buffer ends.
    pub(crate) end: ResumePoint<S>,
    /// What the text in the buffer completes.
    pub(crate) counts: Counts,
    /// Tables in which rows are missing, and values that were cut off.
    pub(crate) damaged: Vec<String>,
    /// What rows have shown that the object does not keep.
    pub(crate) warnings: Vec<String>,
    /// The checkpoint as of the last part's end.
    saved: Checkpoint<S>,
    tables: EndedTables,
}

impl<'a, S: Clone + Default + Serialize + DeserializeOwned> Output<'a, S> {
    /// Continues from a checkpoint.
    pub(crate) fn new(
        from: Checkpoint<S>,
        parts: &'a mut dyn Parts,
        pacing: &'a dyn Pacing,
        budget: Budget,
    ) -> Self {
        Self {
            parts,
            pacing,
            budget: budget.parts.max(1),
            written: 0,
            buffer: PartBuffer::new(
                from.options.part_size,
                from.parts,
                &from.carry,
                from.table.clone(),
            ),
            end: from.resume_at.clone(),
            counts: from.counts,
            damaged: from.damaged.clone(),
            warnings: from.warnings.clone(),
            saved: from,
            tables: EndedTables::default(),
        }
    }

    /// Whether the slice should end early: only once it has written a part.
    pub(crate) fn should_stop(&self) -> bool {
        self.written > 0 && self.pacing.should_yield()
    }

    /// Ends a step. The text in the buffer is complete up to here.
    pub(crate) fn end_step(&mut self) -> Result<Flow, Error> {
        self.end = ResumePoint { step: self.end.step + 1, ..ResumePoint::default() };
        self.cut()
    }

    /// Cuts what parts there are, and takes the checkpoint after the last of them. `end` must be true: all text
    /// in the buffer belongs before it.
    pub(crate) fn cut(&mut self) -> Result<Flow, Error> {
        if !self.buffer.is_full() {
            return Ok(Flow::Continue);
        }
        self.written += self.buffer.cut(self.budget - self.written, self.parts)?;
        self.saved.resume_at = self.end.clone();
        self.saved.counts = self.counts;
        self.saved.damaged.clone_from(&self.damaged);
        self.saved.warnings.clone_from(&self.warnings);
        self.saved.parts = self.buffer.written();
        self.saved.table = self.buffer.table().cloned();
        self.saved.carry = self.buffer.carry().to_vec();
        self.tables.save();
        Ok(if self.written == self.budget { Flow::Stop } else { Flow::Continue })
    }

    /// The rows of one of the user's tables begin, unless a slice before has begun them.
    pub(crate) fn begin_table(&mut self) {
        self.buffer.begin_table(self.counts.rows);
    }

    /// The rows of a table end.
    pub(crate) fn end_table(&mut self, name: &[u8]) {
        if let Some(table) = self.buffer.end_table(name, self.counts.rows) {
            self.tables.push(table);
        }
    }

    /// Reports the places in a table where rows are missing.
    pub(crate) fn report_gaps(&mut self, table: &[u8]) {
        let name = String::from_utf8_lossy(table);
        match self.end.gaps {
            0 => {}
            1 => self.damaged.push(name.into_owned()),
            gaps => self.damaged.push(format!("{name}, where rows are missing in {gaps} places")),
        }
    }

    /// Hands over what is left as the last part, and gives the object's length in bytes.
    pub(crate) fn finish(&mut self) -> Result<u64, Error> {
        self.tables.save();
        self.buffer.finish(self.parts)
    }

    /// The checkpoint as of the last part's end, and the tables whose rows have ended before it. Text beyond is thrown
    /// away.
    pub(crate) fn into_saved(self) -> (Checkpoint<S>, Vec<TableContents>) {
        (self.saved, self.tables.into_saved())
    }
}
