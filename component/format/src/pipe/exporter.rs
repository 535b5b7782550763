//! The WIT interface `exporter`: an export's options and outcome.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::contents::TableContents;
use super::parts::PartsError;
use partway_rows::RowsError;

/// What to export, and how. Checkpoints hold it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The name of the format.
    pub format: String,
    /// Only these tables; empty: everything.
    pub tables: Vec<String>,
    /// The size of every part but the last, in bytes.
    pub part_size: u32,
    /// The format's own settings.
    pub settings: Vec<(String, String)>,
}

/// How much one slice may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The slice ends after this many parts.
    pub parts: u32,
}

/// How far the export has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The table that is being read.
    pub table: Option<String>,
    /// Tables whose rows are all exported.
    pub tables: u32,
    /// Rows exported.
    pub rows: u64,
    /// Bytes in parts.
    pub bytes: u64,
    /// Parts written.
    pub parts: u32,
}

/// What a slice returns when there is more to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    /// From where the next slice resumes.
    pub checkpoint: String,
    /// How far the export has come.
    pub progress: Progress,
}

/// The finished export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tables exported.
    pub tables: u32,
    /// Rows exported.
    pub rows: u64,
    /// The object's length in bytes.
    pub bytes: u64,
    /// The number of its parts.
    pub parts: u32,
    /// What could not be kept, one sentence each.
    pub warnings: Vec<String>,
    /// Tables in which rows are missing, and values that were cut off: the object is not whole.
    pub damaged: Vec<String>,
}

/// How a slice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is more to do.
    More(More),
    /// The object is complete.
    Done(Summary),
}

/// What a slice has done: what `exporter.resume` gives, and `contents.tables` after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceResult {
    /// How the slice ended.
    pub outcome: Outcome,
    /// The tables whose rows ended in it, in the object's order.
    pub tables: Vec<TableContents>,
}

/// Why an export can't start or resume: `exporter.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The options make no sense, or name something that the database does not have.
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
    /// The host interrupted the export.
    Interrupted,
}

impl From<RowsError> for Error {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::Corrupt(text) => Self::Corrupt(text),
            // It will not pass: other tables can be chosen.
            RowsError::Unavailable(text) => Self::InvalidOptions(text),
            RowsError::InvalidPosition(text) => Self::InvalidCheckpoint(text),
            RowsError::Interrupted => Self::Interrupted,
            RowsError::UnknownTable(text)
            | RowsError::UnknownColumn(text)
            | RowsError::InvalidCell(text)
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
            Self::Interrupted => f.write_str("the host interrupted the export"),
        }
    }
}

impl core::error::Error for Error {}
