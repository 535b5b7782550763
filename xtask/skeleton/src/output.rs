//! Cuts the text into parts of one size, and remembers where the last one ended.

use alloc::vec::Vec;
use core::mem;

use crate::checkpoint::{Checkpoint, Point};
use crate::exports::partway::pipe::exporter::Error;
use crate::partway::pipe::{pacing, parts};

/// Whether the slice goes on.
#[derive(PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// Its parts are written, or the host wants it to end.
    Stop,
}

pub struct Output {
    /// Text that is in no part yet. Append to it, then say so by `cut`.
    pub text: Vec<u8>,
    /// The end of the last part: from there the next slice goes on.
    pub last: Checkpoint,
    /// Parts that this slice may write yet, and may write in all.
    left: u32,
    budget: u32,
}

impl Output {
    pub fn new(mut resumed: Checkpoint, budget: u32) -> Self {
        Self {
            text: mem::take(&mut resumed.carry),
            last: resumed,
            left: budget,
            budget,
        }
    }

    /// Whether a part is full, so that `cut` has something to do.
    pub fn is_full(&self) -> bool {
        self.text.len() >= self.last.part_size
    }

    /// Writes the parts that are full. `point` is where the text ends.
    pub fn cut(&mut self, point: &Point) -> Result<Flow, Error> {
        while self.is_full() {
            let rest = self.text.split_off(self.last.part_size);
            let part = mem::replace(&mut self.text, rest);
            self.write(&part)?;
            self.last.point = point.clone();
            if self.left == 0 {
                self.last.carry = mem::take(&mut self.text);
                return Ok(Flow::Stop);
            }
            self.last.carry = self.text.clone();
        }
        Ok(Flow::Continue)
    }

    /// Between two batches: the host may want the slice to end. Not before it has written a part.
    pub fn pause(&self) -> Flow {
        if self.left < self.budget && pacing::should_yield() {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    /// Writes the last part, which may be shorter; the length of the whole object.
    pub fn finish(&mut self) -> Result<u64, Error> {
        let part = mem::take(&mut self.text);
        let written = u64::from(self.last.parts) * self.last.part_size as u64 + part.len() as u64;
        if !part.is_empty() {
            self.write(&part)?;
        }
        Ok(written)
    }

    fn write(&mut self, part: &[u8]) -> Result<(), Error> {
        parts::write(self.last.parts + 1, part).map_err(|error| match error {
            parts::Error::Full(text) => Error::TooLarge(text),
            parts::Error::Refused(text) | parts::Error::Failed(text) => Error::WriteFailed(text),
        })?;
        self.last.parts += 1;
        self.left -= 1;
        Ok(())
    }
}
