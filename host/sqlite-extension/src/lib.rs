//! Partway inside SQLite: a loadable extension that exports a connection's databases, in SQL.
//!
//! | SQL | what it is |
//! |---|---|
//! | `partway_export(store)`, `partway_export(store, options)` | exports to a folder, S3 or R2; returns a summary, JSON |
//! | `partway_parts`, `partway_parts(options)` | a table of a dump's parts: `number`, `bytes` |
//! | `partway_version()` | the extension's version |
//!
//! `cargo xtask extension` builds what SQLite loads. This library has what it consists of: [`register`] gives the same to a
//! connection of the program's own.

// 1. `load`: SQLite's functions become known; `functions` and `parts_table` are registered.
// 2. `options`: what the caller wants. `lease` holds the state of the caller's database.
// 3. `export` runs the export to a store on a thread of its own, while the caller's thread reads for it; `parts` makes one
//    part at a time.

mod error;
mod export;
mod functions;
mod lease;
#[cfg(feature = "loadable_extension")]
mod load;
mod options;
mod parts;
mod parts_table;

use rusqlite::{Connection, Result};

#[cfg(feature = "loadable_extension")]
pub use load::load;

/// Registers the functions and the table on a connection.
///
/// # Errors
///
/// Those of SQLite: the connection is busy, say.
pub fn register(connection: &Connection) -> Result<()> {
    functions::register(connection)?;
    parts_table::register(connection)
}
