//! The format Parquet, for an export component: reads a table through `rows`, writes a Parquet file through `parts`, and hands back a checkpoint
//! after every slice.
//!
//! The work is in modules that know no bindings: they read through [`Rows`](partway_format::pipe::Rows) and write through
//! [`Parts`](partway_format::pipe::Parts), so native programs and tests call [`start`] and [`resume`] as they are.
//! `docs/FORMATS.md` says what comes out.
//!
//! | module | what lives there |
//! |---|---|
//! | `slice` | one slice: row groups and the footer, until the budget or the end |
//! | `plan`, `settings` | what is exported |
//! | `types`, `look` | the columns' types, and the look at the rows that chooses them |
//! | `row_group`, `column_chunk`, `page` | rows in memory, column by column, and the pages that they become |
//! | `dictionary`, `hybrid`, `statistics` | distinct values, runs of small numbers, least and greatest values |
//! | `long_row` | rows with values that are not in their batch |
//! | `metadata`, `footer` | what is remembered of row groups, and what the file says of them |
//! | `bytes` | short bytes, copied and compared |
//! | `thrift`, `snappy` | the encoding of headers, and the compression of pages |
//! | `output`, `checkpoint` | where parts are cut, and all that a slice needs to resume |
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod bytes;
mod checkpoint;
mod column_chunk;
mod dictionary;
mod export;
mod footer;
mod hybrid;
mod long_row;
mod look;
mod metadata;
mod output;
mod page;
mod plan;
mod row_group;
mod settings;
mod slice;
mod snappy;
mod statistics;
mod thrift;
mod types;

pub use export::Parquet;
pub use slice::{resume, start};
