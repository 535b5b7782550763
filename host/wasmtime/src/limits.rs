//! What a component may use. A component may be untrusted: it gets memory and time within these
//! limits.

use std::time::Duration;

use wasmtime::ResourceLimiter;

const MIB: usize = 1024 * 1024;

/// The most columns of a table, and so of a row of a batch, by SQLite's hard limit and `rows.wit`.
const MAX_COLUMNS: usize = 32_767;

/// Limits on one slice of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in bytes; also what may be written after the slice should have ended. By default
    /// 64 MiB, or twice the part size plus 32 MiB if that is more (see [`Limits::for_part_size`]).
    pub memory: usize,
    /// Time in the component itself without a call to the host, or after the host has asked the
    /// slice to end; the host's own reads and writes do not count. By default 60 seconds; a
    /// component normally needs some milliseconds.
    pub overrun: Duration,
    /// Elements in all tables, by default 10,000. The export component has some dozens.
    pub table_elements: usize,
    /// Cursors open at a time, by default 64. The export component opens up to 33: small tables are
    /// opened before their turn.
    pub cursors: u32,
    /// Bytes of text and blobs in a batch, by default 1 MiB. The host holds some batches of each open
    /// cursor. The export component asks for 256 KiB.
    pub batch_bytes: u32,
    /// Calls of `describe`, by default 1,000. The export component needs one.
    pub describe_calls: u32,
    /// Calls to the host in a row without writing a part, by default 10 million. The export component
    /// needs some hundreds; one that writes little of a large table, or asks for a row at a time, needs
    /// more.
    pub idle_calls: u64,
    /// The length of a checkpoint in bytes, by default 16 MiB.
    pub checkpoint: usize,
    /// The texts for people that a call returns, such as warnings, in bytes and all together, by default
    /// 1 MiB. The text of an error is cut after 4 KiB.
    pub texts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            overrun: Duration::from_secs(60),
            table_elements: 10_000,
            cursors: 64,
            batch_bytes: MIB as u32,
            describe_calls: 1_000,
            idle_calls: 10_000_000,
            checkpoint: 16 * MIB,
            texts: MIB,
        }
    }
}

impl Limits {
    /// The default limits for parts of this many bytes: a component holds one part and some more.
    pub fn for_part_size(part_size: u32) -> Self {
        let memory = (part_size as usize).saturating_mul(2).saturating_add(32 * MIB);
        let default = Self::default();
        Self { memory: memory.max(default.memory), ..default }
    }
}

/// What a component did beyond its [`Limits`] or its budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// It has too many cursors open.
    #[error("it has {limit} cursors open and tried to open another")]
    Cursors {
        /// [`Limits::cursors`].
        limit: u32,
    },
    /// It asked for no columns, or for more than a table can have.
    #[error("it asked for {columns} columns, but may ask for 1 to {MAX_COLUMNS}")]
    Columns {
        /// What it asked for.
        columns: usize,
    },
    /// It asked for too much at once.
    #[error("it asked for {bytes} bytes at once, but gets {limit} at most")]
    Bytes {
        /// What it asked for.
        bytes: u32,
        /// [`Limits::batch_bytes`], and for a piece of a long cell [`Limits::memory`].
        limit: usize,
    },
    /// It asked for the schema again and again.
    #[error("it asked for the schema more than {limit} times")]
    DescribeCalls {
        /// [`Limits::describe_calls`].
        limit: u32,
    },
    /// It calls the host, but nothing comes of it.
    #[error("it called the host {limit} times without writing a part")]
    IdleCalls {
        /// [`Limits::idle_calls`].
        limit: u64,
    },
    /// It did not end the slice.
    #[error("it wrote more parts than the {budget} of its budget")]
    Parts {
        /// The slice's budget.
        budget: u32,
    },
    /// It wrote on after it should have ended the slice.
    #[error("it wrote more than {limit} bytes after it had been asked to end the slice")]
    Late {
        /// [`Limits::memory`].
        limit: usize,
    },
    /// Its checkpoint is too long to be saved after each slice.
    #[error("its checkpoint has {bytes} bytes, but may have {limit}")]
    Checkpoint {
        /// The checkpoint's length.
        bytes: usize,
        /// [`Limits::checkpoint`].
        limit: usize,
    },
    /// It has too much to tell.
    #[error("it returned {bytes} bytes of warnings and names, but may return {limit}")]
    Texts {
        /// All of its texts.
        bytes: usize,
        /// [`Limits::texts`].
        limit: usize,
    },
}

/// Enforces the limits on one slice, and remembers when one was reached: a component that is
/// refused memory can only trap, and the trap does not say why.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    memory: usize,
    refused_memory: bool,
    cursors: u32,
    describe_calls: u32,
    idle_calls: u64,
    late_bytes: usize,
    /// Parts that may be written yet, of a budget.
    parts: Option<(u32, u32)>,
}

impl Limiter {
    /// A limiter for one store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory: 0,
            refused_memory: false,
            cursors: 0,
            describe_calls: 0,
            idle_calls: 0,
            late_bytes: 0,
            parts: None,
        }
    }

    /// A slice begins that may write so many parts.
    pub(crate) fn begin_slice(&mut self, budget: u32) {
        self.parts = Some((budget, budget));
    }

    /// Counts a call to the host.
    pub(crate) fn count_call(&mut self) -> Result<(), Exceeded> {
        self.idle_calls += 1;
        let limit = self.limits.idle_calls;
        if self.idle_calls > limit { Err(Exceeded::IdleCalls { limit }) } else { Ok(()) }
    }

    pub(crate) fn count_describe(&mut self) -> Result<(), Exceeded> {
        self.describe_calls += 1;
        let limit = self.limits.describe_calls;
        if self.describe_calls > limit { Err(Exceeded::DescribeCalls { limit }) } else { Ok(()) }
    }

    /// A cursor over so many columns is to be opened.
    pub(crate) fn open_cursor(&mut self, columns: usize) -> Result<(), Exceeded> {
        if !(1..=MAX_COLUMNS).contains(&columns) {
            return Err(Exceeded::Columns { columns });
        }
        let limit = self.limits.cursors;
        if self.cursors >= limit {
            return Err(Exceeded::Cursors { limit });
        }
        self.cursors += 1;
        Ok(())
    }

    /// A cursor is closed, or was not opened.
    pub(crate) fn close_cursor(&mut self) {
        self.cursors = self.cursors.saturating_sub(1);
    }

    /// So much of a batch is asked for.
    pub(crate) fn ask_for_batch(&self, bytes: u32) -> Result<(), Exceeded> {
        ask(bytes, self.limits.batch_bytes as usize)
    }

    /// So much of a long cell is asked for.
    pub(crate) fn ask_for_piece(&self, bytes: u32) -> Result<(), Exceeded> {
        ask(bytes, self.limits.memory)
    }

    /// A part is to be written.
    pub(crate) fn begin_part(&mut self) -> Result<(), Exceeded> {
        match &mut self.parts {
            Some((budget, 0)) => return Err(Exceeded::Parts { budget: *budget }),
            Some((_, left)) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// A part was taken: the component gets on. `is_late`: the slice should have ended before.
    pub(crate) fn end_part(&mut self, bytes: usize, is_late: bool) -> Result<(), Exceeded> {
        self.idle_calls = 0;
        if is_late {
            self.late_bytes = self.late_bytes.saturating_add(bytes);
        }
        let limit = self.limits.memory;
        if self.late_bytes > limit { Err(Exceeded::Late { limit }) } else { Ok(()) }
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the component was refused memory.
    pub fn has_refused_memory(&self) -> bool {
        self.refused_memory
    }
}

fn ask(bytes: u32, limit: usize) -> Result<(), Exceeded> {
    if bytes as usize > limit { Err(Exceeded::Bytes { bytes, limit }) } else { Ok(()) }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All memories of a component count together.
        let total = self.memory - current.min(self.memory) + desired;
        let allowed = total <= self.limits.memory;
        if allowed {
            self.memory = total;
        } else {
            self.refused_memory = true;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.limits.table_elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_part_size() {
        assert_eq!(Limits::for_part_size(4096).memory, 64 * MIB);
        assert_eq!(Limits::for_part_size(16 * MIB as u32).memory, 64 * MIB);
        assert_eq!(Limits::for_part_size(100 * MIB as u32).memory, 232 * MIB);
    }

    #[test]
    fn memories_count_together() {
        let mut limiter = Limiter::new(Limits { memory: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 30, None).unwrap());
        assert!(!limiter.memory_growing(60, 80, None).unwrap());
        assert!(limiter.has_refused_memory());
        assert!(limiter.memory_growing(60, 70, None).unwrap());
    }
}
