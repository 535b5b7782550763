//! The WIT interface `parts`: where the object goes.

use alloc::string::String;

/// `parts`: where the object goes.
pub trait Parts {
    /// Hands over one part. Numbers count from 1.
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), PartsError>;
}

/// Why a part was not taken: `parts.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartsError {
    /// Not the next number, or not the part size.
    Refused(String),
    /// The store takes no further part.
    Full(String),
    /// The store failed.
    Failed(String),
}
