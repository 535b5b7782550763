//! Where a slice's bytes go: parts are cut from them.
//!
//! A file is made of units that are made again as a whole: row groups, and the footer. What of a unit is in parts that are
//! written is skipped when it is made again.

use alloc::string::String;
use alloc::vec::Vec;

use partway_format::pipe::{Budget, Error, Pacing, Parts, Position};
use partway_format::saved;
use serde::{Deserialize, Serialize};

use crate::metadata::Mark;

/// Whether a slice continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// Where a unit begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// A row group: its first row is the one after this position; none: the table's first.
    #[serde(with = "saved::optional_bytes", default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Position>,
    /// The footer: all row groups are written.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) is_footer: bool,
    /// Damaged places before it, where rows are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) gaps: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A unit: where it begins, and what is before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unit {
    pub(crate) place: Place,
    pub(crate) groups: Mark,
    /// Damaged values before it.
    pub(crate) damaged: usize,
}

/// The bytes of one slice.
pub(crate) struct Output<'a> {
    parts: &'a mut dyn Parts,
    pacing: &'a dyn Pacing,
    budget: u32,
    /// Parts this slice has written.
    written: u32,
    part_size: usize,
    buffer: Vec<u8>,
    /// Parts written since the export began.
    count: u32,
    /// Bytes that are still to come and are in parts already.
    skip: u64,
    /// The unit that is being made.
    pub(crate) unit: Unit,
    /// The unit that the last part ends in.
    saved: Unit,
}

impl<'a> Output<'a> {
    /// Continues after `count` parts with a unit that begins at the byte `start` of the file. None: that
    /// is behind them.
    pub(crate) fn new(
        (part_size, count): (u32, u32),
        (unit, start): (Unit, u64),
        (parts, pacing): (&'a mut dyn Parts, &'a dyn Pacing),
        budget: Budget,
    ) -> Option<Self> {
        let skip = (u64::from(part_size) * u64::from(count)).checked_sub(start)?;
        let part_size = part_size as usize;
        Some(Self {
            parts,
            pacing,
            budget: budget.parts.max(1),
            written: 0,
            part_size,
            buffer: Vec::with_capacity(part_size),
            count,
            skip,
            saved: unit.clone(),
            unit,
        })
    }

    /// Parts written since the export began.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes in parts.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.count) * self.part_size as u64
    }

    /// The unit that the last part ends in.
    pub(crate) fn saved(&self) -> &Unit {
        &self.saved
    }

    /// Whether the slice should end early: only once it has written a part.
    pub(crate) fn should_stop(&self) -> bool {
        self.written > 0 && self.pacing.should_yield()
    }

    /// Whether nothing of what follows is in a part yet.
    pub(crate) fn is_new(&self) -> bool {
        self.skip == 0
    }

    /// How many of the next `bytes` bytes need not be made: they are in parts already.
    pub(crate) fn skip(&mut self, bytes: u64) -> u64 {
        let skipped = self.skip.min(bytes);
        self.skip -= skipped;
        skipped
    }

    /// Appends bytes, and hands over what parts there are. After [`Flow::Stop`] the rest is of no use.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Flow, Error> {
        let skipped = self.skip(bytes.len() as u64) as usize;
        let mut rest = bytes.get(skipped..).unwrap_or_default();
        while !rest.is_empty() {
            let room = self.part_size - self.buffer.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() == self.part_size {
                self.parts.write(self.count + 1, &self.buffer)?;
                self.buffer.clear();
                self.count += 1;
                self.written += 1;
                self.saved = self.unit.clone();
                if self.written == self.budget {
                    return Ok(Flow::Stop);
                }
            }
        }
        Ok(Flow::Continue)
    }

    /// Hands over what is left as the last part, and gives the object's length.
    pub(crate) fn finish(&mut self) -> Result<u64, Error> {
        let length = self.bytes() + self.buffer.len() as u64;
        if !self.buffer.is_empty() {
            self.parts.write(self.count + 1, &self.buffer)?;
            self.count += 1;
        }
        if self.skip > 0 {
            return Err(Error::InvalidCheckpoint(String::from(
                "the checkpoint is of a longer file than the rows make: start the export over",
            )));
        }
        Ok(length)
    }
}
