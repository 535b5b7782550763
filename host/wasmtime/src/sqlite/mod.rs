//! `rows` over SQLite: one held read transaction.

mod batch;
mod describe;
mod error;
mod fingerprint;
mod key;
mod long;
mod reader;
mod scan;
mod snapshot;

pub use error::OpenError;
pub use fingerprint::Fingerprint;
pub use snapshot::Snapshot;
