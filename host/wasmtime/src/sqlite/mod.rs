//! `rows` over SQLite: one held read transaction.

mod ahead;
mod authorizer;
mod batch;
mod copy;
mod cursor;
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
