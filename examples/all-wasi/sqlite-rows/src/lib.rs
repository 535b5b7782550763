//! Partway's interface `rows` over SQLite, compiled to wasm, that reads a file of WASI.
//!
//! How tables are read is the source of `host-rust`, as it is: the contract's types have the same names and fields here.

#[path = "../../../host-rust/src/cell.rs"]
mod cell;
#[path = "../../../host-rust/src/cursor.rs"]
mod cursor;
mod database;
mod file;
mod host;
#[path = "../../../host-rust/src/schema.rs"]
mod schema;
mod vfs;
