//! Values, equal only if they are the same to the last bit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

#[derive(Clone, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    /// Its bits.
    Float(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]| {
            let start = &bytes[..bytes.len().min(40)];
            let more = if start.len() < bytes.len() { "…" } else { "" };
            write!(f, "{name} of {} bytes \"{}{more}\"", bytes.len(), start.escape_ascii())
        };
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => write!(f, "integer {value}"),
            Self::Float(bits) => write!(f, "float {:?}", f64::from_bits(*bits)),
            Self::Text(value) => bytes(f, "text", value),
            Self::Blob(value) => bytes(f, "blob", value),
        }
    }
}

/// How two rows differ; none: they do not.
pub fn difference(expected: &[Cell], found: &[Cell]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} cells expected, {} found", expected.len(), found.len()));
    }
    let mut pairs = expected.iter().zip(found).enumerate();
    let (column, (expected, found)) = pairs.find(|(_, (expected, found))| expected != found)?;
    Some(format!("column {column}: {expected:?} expected, {found:?} found"))
}
