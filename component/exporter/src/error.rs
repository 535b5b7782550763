//! What can go wrong, as the contract's three error variants.

use alloc::string::String;
use core::fmt;

/// Why something could not be read: `rows.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsError {
    /// The schema has no such table.
    UnknownTable(String),
    /// The table has no such column.
    UnknownColumn(String),
    /// The position is not one of this table.
    InvalidPosition(String),
    /// A cell outside the last batch, or one that is not long.
    InvalidCell(String),
    /// This table can't be read here, others can.
    Unavailable(String),
    /// The database is damaged in this table.
    Corrupt(String),
    /// The host wants the work to end now.
    Interrupted,
    /// Another reason; trying again may help.
    Failed(String),
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

/// Why an export can't start or go on: `exporter.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The options make no sense, or name what isn't there.
    InvalidOptions(String),
    /// The checkpoint can't be used: start over.
    InvalidCheckpoint(String),
    /// Rows could not be read; trying again may help.
    ReadFailed(String),
    /// The database is damaged.
    Corrupt(String),
    /// A part was not taken; trying again may help.
    WriteFailed(String),
    /// The object outgrows the store at this part size.
    TooLarge(String),
    /// The host asked for an end.
    Interrupted,
}

impl From<RowsError> for Error {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::Corrupt(text) => Self::Corrupt(text),
            RowsError::InvalidPosition(text) => Self::InvalidCheckpoint(text),
            RowsError::Interrupted => Self::Interrupted,
            RowsError::UnknownTable(text)
            | RowsError::UnknownColumn(text)
            | RowsError::InvalidCell(text)
            | RowsError::Unavailable(text)
            | RowsError::Failed(text) => Self::ReadFailed(text),
        }
    }
}

impl From<PartsError> for Error {
    fn from(error: PartsError) -> Self {
        match error {
            PartsError::Full(text) => Self::TooLarge(text),
            PartsError::Refused(text) | PartsError::Failed(text) => Self::WriteFailed(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOptions(text)
            | Self::InvalidCheckpoint(text)
            | Self::ReadFailed(text)
            | Self::Corrupt(text)
            | Self::WriteFailed(text)
            | Self::TooLarge(text) => f.write_str(text),
            Self::Interrupted => f.write_str("the host asked for an end"),
        }
    }
}

impl core::error::Error for Error {}
