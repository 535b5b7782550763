//! The parts of one object in their order, as `parts.wit` has it.

use partway_wasmtime::parts;

/// Which part is expected next: parts are numbered without gaps, and all but the last have the same size.
#[derive(Debug)]
pub struct PartSequence {
    next: u32,
    part_size: u32,
    most_parts: u32,
    has_ended: bool,
}

impl PartSequence {
    /// The parts after so many whole ones. `most_parts`: what the store allows of one object.
    pub fn after(written: u32, part_size: u32, most_parts: u32) -> Self {
        Self { next: written.saturating_add(1), part_size, most_parts, has_ended: false }
    }

    /// Accepts a part of this many bytes.
    ///
    /// # Errors
    ///
    /// `refused` if another one was expected, `full` if the store takes no more.
    pub fn accept(&mut self, number: u32, bytes: usize) -> Result<(), parts::Error> {
        let (next, size) = (self.next, self.part_size as usize);
        if self.has_ended || number != next || bytes == 0 || bytes > size {
            return Err(parts::Error::Refused(format!(
                "part {number} of {bytes} bytes was written where part {next} of at most {size} was expected"
            )));
        }
        if number > self.most_parts {
            return Err(parts::Error::Full(format!(
                "the object needs more than the {} parts that the store allows: start over with a \
                 larger part size than {size} bytes",
                self.most_parts
            )));
        }
        self.has_ended = bytes < size;
        self.next = next.saturating_add(1);
        Ok(())
    }
}
