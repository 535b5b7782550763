//! What a component may use. A component may be untrusted: it gets memory and time within these
//! limits.

use std::time::Duration;

use wasmtime::ResourceLimiter;

const MIB: usize = 1024 * 1024;

/// Limits on one slice of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in bytes. By default 64 MiB, or twice the part size plus 32 MiB if that is
    /// more (see [`Limits::for_part_size`]).
    pub memory: usize,
    /// Time in the component itself without a call to the host, or after the host has asked the
    /// slice to end; the host's own reads and writes do not count. By default 60 seconds; a
    /// component normally needs some milliseconds.
    pub overrun: Duration,
    /// Elements in all tables, by default 10,000. The export component has some dozens.
    pub table_elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 * MIB, overrun: Duration::from_secs(60), table_elements: 10_000 }
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

/// Enforces the limits on one slice, and remembers when one was reached: a component that is
/// refused memory can only trap, and the trap does not say why.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    memory: usize,
    refused_memory: bool,
}

impl Limiter {
    /// A limiter for one store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, memory: 0, refused_memory: false }
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
