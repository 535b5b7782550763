//! How far an export is, and what came of it.

use serde::{Deserialize, Serialize};

/// How far an export is, or what it came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tables exported.
    pub tables: u32,
    /// Rows exported.
    pub rows: u64,
    /// Bytes in the object.
    pub bytes: u64,
    /// Its parts.
    pub parts: u32,
    /// Slices that ended well.
    pub slices: u32,
    /// Seconds spent in them, in all processes.
    pub seconds: f64,
    /// What could not be kept; known at the end.
    pub warnings: Vec<String>,
    /// Tables that could not be read to their end: the object is not whole. Known at the end.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// A finished export.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The object's name.
    pub name: String,
    /// Where it is.
    pub location: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// What it came to.
    pub totals: Totals,
}
