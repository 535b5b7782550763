//! What Partway's component needs of a host: the rows of a SQLite database by rusqlite, and a file for parts.

mod cell;
mod cursor;
mod host;
mod schema;

pub use host::{ExportComponent, Host, PART_SIZE, Tables, exporter, pacing, parts, rows};
