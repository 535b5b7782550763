//! The plan of a dump: its steps, and how values are written on the way.

use alloc::string::String;
use alloc::vec::Vec;

use super::literal::LiteralWriter;
use super::scratch_table::ScratchTable;
use super::target::Limits;
use crate::digest::Digest;
use crate::format::{Step, TableRows};
use crate::pipe::Encoding;

/// How one table's rows are inserted.
pub(crate) struct Insert {
    /// What every statement begins with.
    pub(super) opening: Vec<u8>,
    /// Whether each row needs a statement of its own.
    pub(super) single_row: bool,
}

/// What a dump will hold.
pub(crate) struct Plan {
    pub(super) steps: Vec<Step<Insert>>,
    /// What can't be kept.
    pub(super) warnings: Vec<String>,
    /// How the text of cells is encoded.
    pub(super) encoding: Encoding,
    pub(super) literals: LiteralWriter,
    pub(super) limits: Limits,
    /// Where values are rebuilt that are too long for a statement.
    pub(super) scratch: ScratchTable,
    /// Whether rows that are damaged are left out, instead of failing the export.
    pub(super) skip_damaged: bool,
    /// The most rows of a table; none: all.
    pub(super) max_rows: Option<u64>,
}

impl Plan {
    /// A digest of all steps.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        for step in &self.steps {
            match step {
                Step::Text(text) => digest.field(text),
                Step::Rows(TableRows { table, columns, format, .. }) => {
                    digest.field(table);
                    for column in columns {
                        digest.field(column);
                    }
                    digest.field(&format.opening);
                }
                Step::End => digest.field(b"end"),
            }
        }
        digest.field(&[self.encoding as u8]);
        if let Some(max_rows) = self.max_rows {
            digest.field(&max_rows.to_be_bytes());
        }
        digest.value()
    }
}
