//! `rows` over SQLite: one held read transaction.

mod ahead;
mod authorizer;
mod batch;
mod catalog;
mod copy;
mod cursor;
mod cursor_handle;
mod database_file;
mod describe;
mod error;
mod fingerprint;
mod key;
mod long;
mod parked;
mod reader;
mod scan;
mod snapshot;
mod statement;

pub use error::OpenError;
pub use fingerprint::Fingerprint;
pub use snapshot::{Expected, Snapshot};
