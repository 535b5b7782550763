//! Counts of what passes between component and host.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of what has passed between component and host, for watching a slice while it runs. Parts
/// of a slice that fails are counted too.
#[derive(Debug, Default)]
pub struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    parts: AtomicU64,
    weight: AtomicU64,
    weight_in_parts: AtomicU64,
    /// The most that `weight` has been.
    furthest: AtomicU64,
    idle_weight: AtomicU64,
}

/// How much of an export is done. For progress only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkDone {
    /// Rows passed to the component.
    pub rows: u64,
    /// The [weight](crate::weight) of the rows that the component has worked through, except for those of the batch that
    /// it is at. It stands still, and does not go back, while a slice repeats what the one before had begun.
    pub weight: u64,
    /// How much of it was for no part: what is read once more. Until the first part is written, all.
    pub idle_weight: u64,
}

impl Counters {
    /// Rows passed to the component.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes in the parts that the component has written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Parts that the component has written.
    pub fn parts(&self) -> u64 {
        self.parts.load(Ordering::Relaxed)
    }

    /// How much has been done.
    pub fn work_done(&self) -> WorkDone {
        let weight = self.furthest.load(Ordering::Relaxed);
        let idle_weight =
            if self.parts() == 0 { weight } else { self.idle_weight.load(Ordering::Relaxed) };
        WorkDone { rows: self.rows(), weight, idle_weight }
    }

    /// The weight of the rows that are in the parts that the component has written.
    pub fn weight_in_parts(&self) -> u64 {
        self.weight_in_parts.load(Ordering::Relaxed)
    }

    /// Starts from the counts of a checkpoint.
    pub fn set(&self, done: WorkDone, bytes: u64, parts: u64) {
        let WorkDone { rows, weight, idle_weight } = done;
        self.rows.store(rows, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.parts.store(parts, Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
        self.weight_in_parts.store(weight, Ordering::Relaxed);
        self.furthest.fetch_max(weight, Ordering::Relaxed);
        self.idle_weight.store(idle_weight, Ordering::Relaxed);
    }

    pub(crate) fn add_rows(&self, rows: u32) {
        self.rows.fetch_add(u64::from(rows), Ordering::Relaxed);
    }

    pub(crate) fn add_weight(&self, weight: u64) {
        let weight = self.weight.fetch_add(weight, Ordering::Relaxed) + weight;
        self.furthest.fetch_max(weight, Ordering::Relaxed);
    }

    pub(crate) fn add_part(&self, bytes: usize) {
        self.weight_in_parts.store(self.weight.load(Ordering::Relaxed), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.parts.fetch_add(1, Ordering::Relaxed);
    }
}
