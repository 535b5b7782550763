//! The export component: reads tables through `rows`, writes equal parts through `parts`, and hands
//! back a checkpoint after every slice.
//!
//! The work is in modules that know no bindings: they read through [`Rows`] and write through
//! [`Parts`], so native programs and tests call [`start`] and [`resume`] as they are. Only `guest`,
//! built for wasm alone, ties them to the WIT package `partway:pipe`.
//!
//! | module | what lives there |
//! |---|---|
//! | `pipe` | the WIT package's types and traits, natively |
//! | `plan` | the steps of an export, out of the schema |
//! | `slice` | one slice: step by step, until the budget or the end |
//! | `rows` | a table's rows, into statements |
//! | `open_scans` | scans opened before they are needed |
//! | `long` | rows with values too long for a batch |
//! | `cells` | reading a batch's cells |
//! | `part_buffer` | the buffer, and where parts are cut |
//! | `checkpoint` | the saved place, as JSON text |
//! | `sql` | the text of a SQL dump |
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod cells;
mod checkpoint;
#[cfg(target_arch = "wasm32")]
mod guest;
mod long;
mod open_scans;
mod part_buffer;
mod pipe;
mod plan;
mod rows;
mod slice;
mod sql;

pub use pipe::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Cursor, Encoding, Error, More, Object,
    ObjectKind, Options, Outcome, Pacing, Parts, PartsError, Position, Progress, Rows, RowsError,
    Schema, Summary, Table, TableFlags, Text,
};
pub use slice::{resume, start};
