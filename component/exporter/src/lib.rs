//! The exporter: reads tables through `rows`, writes equal parts through `parts`, and hands back a checkpoint after every
//! slice.
//!
//! It knows no bindings: it reads through [`Rows`] and writes through [`Parts`], so native programs and tests call [`start`]
//! and [`resume`] as they are. `export_exporter!` of `partway-format` makes a component of [`Formats`], over the rows that it
//! is to read.
//!
//! | module | what lives there |
//! |---|---|
//! | `export` | the two calls: the format is found by its name |
//! | `slice` | one slice: step by step, until the budget or the end |
//! | `open_scans` | scans opened before they are needed |
//! | `output`, `part_buffer` | the text, where parts are cut, and when to stop |
//! | `contents` | which bytes are which table's rows |
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
mod contents;
mod export;
mod format;
mod image;
mod long_value;
mod open_scans;
mod output;
mod part_buffer;
mod slice;
mod sql;
mod text_formats;

use partway_format::{cells, digest, pipe, selection, subset, tables, values};

pub use export::{Formats, resume, start};
pub use pipe::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Cursor, Encoding, Error, More, Object,
    ObjectKind, Options, Outcome, Pacing, Parts, PartsError, Position, Progress, Rows, RowsError,
    Schema, SliceResult, Summary, Table, TableContents, TableFlags, Text,
};
