//! What a format is to the rest: a list of steps, and the way a table's rows are written.
//!
//! A slice reads tables, cuts parts and takes checkpoints, and knows no format. A format stands in a folder
//! of its own beside `sql/`, and `export.rs` finds it by its name.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cells::Cells;
use crate::checkpoint::Counts;
use crate::output::{Flow, Output};
use crate::part_buffer::PartBuffer;
use crate::pipe::{Cursor, Error, Options, Schema, Text};

/// One step of an export.
pub(crate) enum Step<T> {
    /// Text that stands as it is.
    Text(Vec<u8>),
    /// The rows of one table.
    Rows(TableRows<T>),
    /// The text at the end, which may depend on what has been exported.
    End,
}

/// One table's rows: what to read, and what the format has to know to write them.
pub(crate) struct TableRows<T> {
    /// The table's name.
    pub(crate) table: Text,
    /// The columns to read.
    pub(crate) columns: Vec<Text>,
    /// Whether it is one of the user's tables, which are counted, or SQLite's own.
    pub(crate) counted: bool,
    /// Only the rows in whose first column is one of these texts, in the database's encoding; none: all rows.
    pub(crate) only: Option<Vec<Text>>,
    /// The format's own part.
    pub(crate) format: T,
}

/// An export in one format, planned.
pub(crate) trait Format: Sized {
    /// Whether the tables that are counted are tables, with bytes of their own in the object.
    const LISTS_TABLES: bool = true;

    /// What the format has to know to write one table's rows.
    type Table;

    /// What the format has begun and not ended in a table's text. Checkpoints hold it; a step begins with the
    /// default.
    type State: Clone + Default + Serialize + DeserializeOwned;

    /// Plans an export. The plan follows from the schema and the options alone, so every slice makes the same
    /// plan again instead of keeping it.
    fn new(schema: &Schema, options: &Options) -> Result<Self, Error>;

    /// A digest of the plan. A checkpoint is of use only to a plan with the same digest.
    fn digest(&self) -> u64;

    /// The steps, in order.
    fn steps(&self) -> &[Step<Self::Table>];

    /// What the object will not keep, as far as the plan tells, one sentence each.
    fn warnings(&self) -> &[String];

    /// Bytes of text and blobs in a batch. A row's values beyond it are long. The same for the whole export.
    fn batch_bytes(&self) -> u32;

    /// Whether rows that are damaged are left out, instead of failing the export.
    fn skips_damaged(&self) -> bool;

    /// The most rows of each of the user's tables; none: all. With 0, no row is read.
    fn max_rows(&self) -> Option<u64> {
        None
    }

    /// Whether the text ends inside a row.
    fn is_inside_row(state: &Self::State) -> bool;

    /// Appends a row whose values are all in the batch.
    fn write_row(
        &self,
        table: &TableRows<Self::Table>,
        cells: &mut Cells<'_>,
        text: &mut PartBuffer,
        state: &mut Self::State,
    ) -> Result<(), Error>;

    /// Appends row `row` of the cursor's last batch, which has long values, or resumes inside it. It cuts
    /// parts inside these values. After [`Flow::Stop`] the row is not complete.
    fn write_long_row<C: Cursor>(
        &self,
        table: &TableRows<Self::Table>,
        cursor: &mut C,
        row: u32,
        cells: &mut Cells<'_>,
        output: &mut Output<'_, Self::State>,
    ) -> Result<Flow, Error>;

    /// Appends what stands where rows are missing.
    fn write_gap(&self, text: &mut PartBuffer, state: &mut Self::State);

    /// Appends what follows a table's last row. What of the table the object does not keep, as rows have shown, one
    /// sentence each.
    fn end_table(
        &self,
        table: &TableRows<Self::Table>,
        text: &mut PartBuffer,
        state: &mut Self::State,
    ) -> Vec<String>;

    /// The text of [`Step::End`], after these counts and so many damaged tables and values.
    fn end(&self, counts: Counts, damaged: usize) -> Vec<u8>;
}
