//! The export component: reads tables through `rows`, writes equal parts through `parts`, and hands
//! back a checkpoint after every slice.
//!
//! The work is in modules that know no bindings: they read through [`Rows`] and write through
//! [`Parts`], so native programs and tests call [`start`] and [`resume`] as they are. Only `guest`,
//! built for wasm alone, ties them to the WIT package `partway:pipe`.
//!
//! | module | what lives there |
//! |---|---|
//! | `export` | the two calls: the format is found by its name |
//! | `slice` | one slice: step by step, until the budget or the end |
//! | `open_scans` | scans opened before they are needed |
//! | `output`, `part_buffer` | the text, where parts are cut, and when to stop |
//! | `checkpoint` | all that a slice needs to resume, as JSON text |
//! | `format` | what a format is to a slice |
//! | `sql` | the format `sql` |
//! | `image` | the format `sqlite` |
//! | `text_formats` | the formats `csv`, `ndjson` and `json` |
//! | `long_value` | values that are not in their batch |
//!
//! What other export components need too is in `partway-format`: the contract's types, cells, tables, values.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod checkpoint;
mod export;
mod format;
#[cfg(target_arch = "wasm32")]
mod guest;
mod image;
mod long_value;
mod open_scans;
mod output;
mod part_buffer;
mod slice;
mod sql;
mod text_formats;

use partway_format::{cells, digest, pipe, selection, subset, tables, values};

pub use export::{resume, start};
pub use pipe::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Cursor, Encoding, Error, More, Object,
    ObjectKind, Options, Outcome, Pacing, Parts, PartsError, Position, Progress, Rows, RowsError,
    Schema, Summary, Table, TableFlags, Text,
};
