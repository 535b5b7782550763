//! An export's progress, and its result.

use partway_store::ObjectVersion;
use partway_wasmtime::{Counters, WorkDone};
use serde::{Deserialize, Serialize};

use crate::idle_slices::IdleSlices;

/// An export's progress, or its final totals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tables exported.
    pub tables: u32,
    /// Rows exported.
    pub rows: u64,
    /// Their [weight](partway_wasmtime::weight), about; for progress.
    #[serde(default)]
    pub weight: u64,
    /// How much of that was read in slices that wrote no part, to be read again; for progress.
    #[serde(default)]
    pub idle_weight: u64,
    /// Slices since the last part.
    #[serde(default)]
    pub idle_slices: IdleSlices,
    /// Bytes in the object.
    pub bytes: u64,
    /// Its parts.
    pub parts: u32,
    /// Successful slices.
    pub slices: u32,
    /// Seconds spent in them, in all processes.
    pub seconds: f64,
    /// What the export does not preserve; known at the end.
    pub warnings: Vec<String>,
    /// Tables that could not be read to the end: the object is incomplete. Known at the end.
    #[serde(default)]
    pub damaged: Vec<String>,
}

impl Totals {
    /// Of both, one after the other.
    pub(crate) fn plus(&self, later: &Self) -> Self {
        Self {
            tables: self.tables + later.tables,
            rows: self.rows + later.rows,
            weight: self.weight + later.weight,
            idle_weight: self.idle_weight + later.idle_weight,
            idle_slices: later.idle_slices,
            bytes: self.bytes + later.bytes,
            parts: self.parts + later.parts,
            slices: self.slices + later.slices,
            seconds: self.seconds + later.seconds,
            warnings: [&self.warnings[..], &later.warnings].concat(),
            damaged: [&self.damaged[..], &later.damaged].concat(),
        }
    }

    /// Without those that came last.
    pub(crate) fn minus(mut self, later: &Self) -> Self {
        let warnings = self.warnings.len().saturating_sub(later.warnings.len());
        self.warnings.truncate(warnings);
        let damaged = self.damaged.len().saturating_sub(later.damaged.len());
        self.damaged.truncate(damaged);
        Self {
            tables: self.tables.saturating_sub(later.tables),
            rows: self.rows.saturating_sub(later.rows),
            weight: self.weight.saturating_sub(later.weight),
            bytes: self.bytes.saturating_sub(later.bytes),
            parts: self.parts.saturating_sub(later.parts),
            slices: self.slices.saturating_sub(later.slices),
            seconds: (self.seconds - later.seconds).max(0.0),
            idle_weight: self.idle_weight.saturating_sub(later.idle_weight),
            idle_slices: IdleSlices::default(),
            ..self
        }
    }

    /// How much has been done.
    pub fn work_done(&self) -> WorkDone {
        WorkDone { rows: self.rows, weight: self.weight, idle_weight: self.idle_weight }
    }

    /// Takes over the weight of what is safe after a slice, without that of the objects before.
    pub(crate) fn note_weight(&mut self, counters: &Counters, earlier: &Self) {
        let before = self.weight;
        self.weight = counters.weight_in_parts().saturating_sub(earlier.weight);
        if self.idle_slices.is_idle() {
            self.weight = counters.work_done().weight.saturating_sub(earlier.weight);
            self.idle_weight += self.weight.saturating_sub(before);
        }
    }
}

/// A finished export.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The object's name.
    pub name: String,
    /// Where it is.
    pub location: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The object's version in the store; none if the store does not tell objects apart.
    pub version: Option<ObjectVersion>,
    /// Its final totals.
    pub totals: Totals,
}
