//! The types and interfaces of the WIT package `partway:pipe`, without bindings: one file for each of its
//! files but `rows`, which is the crate `partway-rows`. Those say what every item means, in which units and order; here stands only what is particular to
//! this side.

mod contents;
mod exporter;
mod pacing;
mod parts;

pub use contents::TableContents;
pub use exporter::{Budget, Error, More, Options, Outcome, Progress, SliceResult, Summary};
pub use pacing::Pacing;
pub use parts::{Parts, PartsError};
pub use partway_rows::{
    Affinity, AutoVacuum, Batch, Column, ColumnKind, Cursor, Encoding, Object, ObjectKind,
    Position, Rows, RowsError, Schema, Table, TableFlags, Text,
};
