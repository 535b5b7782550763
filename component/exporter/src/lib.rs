//! The export component: reads tables through `rows`, writes equal parts through `parts`, and hands
//! back a checkpoint after every slice.
//!
//! The work is in modules that know no bindings: they read through [`Rows`] and write through
//! [`Parts`], so native programs and tests call [`start`] and [`resume`] as they are. Only `guest`,
//! built for wasm alone, ties them to the WIT package `partway:pipe`: `export_exporter!` makes a component
//! of them, with `Exporter` over the rows that it is to read.
//!
//! | module | what lives there |
//! |---|---|
//! | `pipe` | the WIT package's types and traits, natively |
//! | `export` | the two calls: the format is found by its name |
//! | `slice` | one slice: step by step, until the budget or the end |
//! | `open_scans` | scans opened before they are needed |
//! | `cells` | reading a batch's cells |
//! | `output`, `part_buffer` | the text, where parts are cut, and when to stop |
//! | `contents` | which bytes are which table's rows |
//! | `checkpoint` | all that a slice needs to resume, as JSON text |
//! | `format` | what a format is to a slice |
//! | `subset` | which tables, definitions and rows are asked for |
//! | `sql` | the format `sql` |
//! | `image` | the format `sqlite` |
//! | `text_formats` | the formats `csv`, `ndjson` and `json` |
//! | `values` | values as text, as far as all formats write them alike |
//! | `long_value` | values that are not in their batch |
//! | `tables`, `digest` | tables by their names; a plan's digest |
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod cells;
mod checkpoint;
mod contents;
mod digest;
mod export;
mod format;
#[cfg(target_arch = "wasm32")]
mod guest;
mod image;
mod long_value;
mod open_scans;
mod output;
mod part_buffer;
mod pipe;
mod slice;
mod sql;
mod subset;
mod tables;
mod text_formats;
mod values;

pub use export::{resume, start};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::bindings;
#[cfg(target_arch = "wasm32")]
pub use guest::{Exporter, bindings::export_exporter};
pub use pipe::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Cursor, Encoding, Error, More, Object,
    ObjectKind, Options, Outcome, Pacing, Parts, PartsError, Position, Progress, Rows, RowsError,
    Schema, SliceResult, Summary, Table, TableContents, TableFlags, Text,
};
