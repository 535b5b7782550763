//! The redactor: stands between a database and an exporter, and hands on `rows` without the data that a policy keeps
//! back.
//!
//! The work is in modules that know no bindings: they read through [`Rows`] and give [`Redaction`]'s schema and
//! cursors. Only `guest`, built for wasm alone, ties them to a component: its `RedactedRows` are the host's under a policy
//! that is an import of the component. A component of the world `transform` exports them, and one with the exporter in it
//! reads them as Rust.
//!
//! | module | what lives there |
//! |---|---|
//! | `policy` | what a policy says |
//! | `decisions` | the policy applied to a schema: what becomes of each table |
//! | `dependents` | views, triggers and virtual tables that could tell what is left out |
//! | `definition`, `index` | rewriting CREATE TABLE; which indexes may stay |
//! | `tokens` | SQL as tokens |
//! | `replacement` | what stands in place of a value, by the column's type |
//! | `redaction` | the redacted schema, and what to do with each table's rows |
//! | `filter` | rows that are left out |
//! | `inner_batch`, `batch_builder` | reading a batch, making another one of it |
//! | `changed_rows`, `cursor` | rows, changed on the way |
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod batch_builder;
mod changed_rows;
mod cursor;
mod decisions;
mod definition;
mod dependents;
mod filter;
#[cfg(target_arch = "wasm32")]
mod guest;
mod index;
mod inner_batch;
mod policy;
mod redaction;
mod replacement;
mod tokens;

pub use cursor::RedactedCursor;
#[cfg(target_arch = "wasm32")]
pub use guest::RedactedRows;
pub use partway_rows::{
    AutoVacuum, Batch, Column, ColumnKind, Cursor, Encoding, Object, ObjectKind, Position, Rows,
    RowsError, Schema, Table, TableFlags, Text,
};
pub use policy::{
    Comparison, Dependents, Literal, Policy, PolicyError, RowFilter, Rule, TablePolicy, Unlisted,
};
pub use redaction::Redaction;
