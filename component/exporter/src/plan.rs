//! The steps of an export, in order. They follow from the schema and the options alone, so every
//! slice makes the same plan again instead of keeping it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Encoding, Text};
use crate::sql::Scratch;

/// One step of an export.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Text that stands as it is.
    Text(Vec<u8>),
    /// The rows of one table.
    Rows(TableRows),
    /// The comment that says the dump is whole, with its counts.
    EndMark,
}

/// How one table's rows are read and written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableRows {
    /// The table's name.
    pub(crate) table: Text,
    /// The columns to read.
    pub(crate) columns: Vec<Text>,
    /// What every statement of rows begins with.
    pub(crate) opening: Vec<u8>,
    /// Whether it is one of the user's tables, which are counted, or SQLite's own.
    pub(crate) counted: bool,
    /// Whether each row needs a statement of its own.
    pub(crate) single: bool,
}

/// What an export will do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// How the text of cells is encoded.
    pub(crate) encoding: Encoding,
    /// What can't be kept.
    pub(crate) warnings: Vec<String>,
    /// How values are written that are too long for a batch.
    pub(crate) long: LongValues,
    /// Whether a table that can't be read to its end is left there, instead of ending the export.
    pub(crate) skip_damaged: bool,
    /// The bound on a statement of rows, in bytes, unless one row alone is longer.
    pub(crate) statement_bytes: u64,
    /// Whether whoever restores keeps carriage returns in literals.
    pub(crate) raw_returns: bool,
}

/// How values are written that are too long for a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LongValues {
    /// Text and blob bytes a batch may hold, and a piece that is read of a longer value.
    pub(crate) batch_bytes: u32,
    /// Bytes of a row's long values that may be written where they stand. Those beyond are rebuilt.
    pub(crate) in_place: u64,
    /// Bytes of a value in one statement that rebuilds it.
    pub(crate) piece: u32,
    /// How they are rebuilt.
    pub(crate) scratch: Scratch,
}

impl Plan {
    /// A digest of all steps (FNV-1a): tells one schema from another, not a friend from a foe.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = Fnv::new();
        for step in &self.steps {
            match step {
                Step::Text(text) => digest.field(text),
                Step::Rows(rows) => {
                    digest.field(&rows.table);
                    for column in &rows.columns {
                        digest.field(column);
                    }
                    digest.field(&rows.opening);
                }
                Step::EndMark => digest.field(b"end"),
            }
        }
        digest.field(&[self.encoding as u8]);
        digest.0
    }
}

struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in a field, its length first, so that no two lists of fields read the same.
    fn field(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
