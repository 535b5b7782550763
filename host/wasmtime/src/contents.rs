//! The interface `contents`, which an export component may have: which bytes of the object are which table's rows.

use wasmtime::component::{ComponentType, Lift};

use crate::limits::{Exceeded, Limits};

/// A table's rows in the object: `contents.table`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub struct TableContents {
    /// The table's name: UTF-8, unless the schema is damaged.
    pub name: Vec<u8>,
    /// Its rows.
    pub rows: u64,
    /// The offset of the first byte that belongs to its rows, in what the component has written.
    pub start: u64,
    /// The offset after the last.
    pub end: u64,
    /// The XXH64 of these bytes, with seed 0.
    pub xxh64: u64,
}

/// The list, within what the component may have in memory.
pub(crate) fn bounded(
    tables: Vec<TableContents>,
    limits: &Limits,
) -> Result<Vec<TableContents>, Exceeded> {
    let bytes = tables.iter().map(|table| table.name.len() + size_of::<TableContents>()).sum();
    let limit = limits.memory;
    if bytes > limit { Err(Exceeded::Texts { bytes, limit }) } else { Ok(tables) }
}
