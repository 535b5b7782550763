//! What the end-to-end tests share: the program, exports through the library, and the test components.

mod case;
mod components;
mod export;
mod extension;
mod garage;
mod jobs;
mod judge;
mod node;
#[cfg(target_os = "linux")]
mod preload;
mod program;
mod python;
mod receiver;
mod round_trip;
mod s3;
mod server;
mod stored;
mod turn;
mod wasmtime_program;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

pub use case::{SLOWLY, ServiceCase, damage, of_many_pages, tiny};
pub use components::{
    Interfaces, hostile, hostile_codec, interfaces, lz4_codec, pass_through, rows_check,
};
pub use export::{Never, contents, export, export_with, job_options, runtime};
pub use extension::{extension, sqlite3};
pub use garage::{GarageServer, garage};
pub use jobs::{jobs, killed_often, saved_parts, saved_slices, wait_for_parts};
pub use judge::Judge;
pub use node::node;
#[cfg(target_os = "linux")]
pub use preload::preload;
pub use program::{Program, assert_sentences, built, memory, program, signal, summary};
pub use python::python_tools;
pub use receiver::{Received, Receiver, Reply, ReservedAddress};
pub use round_trip::round_trip;
pub use s3::{Fault, Request, S3Server, s3_against};
pub use server::{ReadResponse, Server, read};
pub use stored::stored;
pub use turn::{Turn, turn};
pub use wasmtime_program::wasmtime;

/// How long a test waits for what has to happen before it gives up. This is no promise of how fast that is: the machine
/// may be busy with other tests.
pub const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// The hard cases with more columns than the examples take, as their README says.
pub const TOO_WIDE: [&str; 2] =
    ["a table of 1,500 columns, mostly NULL", "a table of 2,000 columns"];

/// A new database, made by SQL.
pub fn database(path: &Path, sql: &str) -> Connection {
    let connection = Connection::open(path).expect("a new database");
    connection.execute_batch(sql).expect("valid SQL");
    connection
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn sha256(file: &Path) -> String {
    use sha2::Digest;
    let bytes = std::fs::read(file).expect("a readable file");
    base16ct::lower::encode_string(&sha2::Sha256::digest(bytes))
}
