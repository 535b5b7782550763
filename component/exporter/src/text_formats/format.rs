//! The formats as a slice drives them.

use alloc::string::String;
use alloc::vec::Vec;

use super::layout::{FormatName, RowText};
use super::long_row::LongRow;
use super::plan::{Plan, Values};
use super::row;
use super::settings::Settings;
use super::state::State;
use crate::cells::Cells;
use crate::checkpoint::Counts;
use crate::export::unknown_format;
use crate::format::{Format, Step, TableRows};
use crate::output::{Flow, Output};
use crate::part_buffer::PartBuffer;
use crate::pipe::{Cursor, Error, Options, Schema};
use crate::tables::quoted_name;

/// The text and blobs of a batch, and a piece that is read of a longer value: whole units of UTF-16. The cost of crossing
/// into the host is lost in the noise, and memory stays small.
pub(super) const BATCH_BYTES: u32 = 256 * 1024;

impl Format for Plan {
    type Table = RowText;
    type State = State;

    fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        let format =
            FormatName::of(&options.format).ok_or_else(|| unknown_format(&options.format))?;
        let settings = Settings::new(format, &options.settings)?;
        Self::of(format, schema, options, &settings)
    }

    fn digest(&self) -> u64 {
        self.digest()
    }

    fn steps(&self) -> &[Step<RowText>] {
        &self.steps
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn batch_bytes(&self) -> u32 {
        BATCH_BYTES
    }

    fn skips_damaged(&self) -> bool {
        self.skip_damaged
    }

    fn max_rows(&self) -> Option<u64> {
        self.max_rows
    }

    fn is_inside_row(state: &State) -> bool {
        state.value.is_some()
    }

    #[inline(always)]
    fn write_row(
        &self,
        table: &TableRows<RowText>,
        cells: &mut Cells<'_>,
        text: &mut PartBuffer,
        state: &mut State,
    ) -> Result<(), Error> {
        let to = text.text();
        match &self.values {
            Values::Csv(csv) => row::write_row(csv, self.encoding, table, cells, to, state),
            Values::Json(json) => row::write_row(json, self.encoding, table, cells, to, state),
        }
    }

    fn write_long_row<C: Cursor>(
        &self,
        table: &TableRows<RowText>,
        cursor: &mut C,
        row: u32,
        cells: &mut Cells<'_>,
        output: &mut Output<'_, State>,
    ) -> Result<Flow, Error> {
        match &self.values {
            Values::Csv(syntax) => {
                LongRow { plan: self, syntax, table, cursor, row, output }.write(cells)
            }
            Values::Json(syntax) => {
                LongRow { plan: self, syntax, table, cursor, row, output }.write(cells)
            }
        }
    }

    /// The object's end says that rows are missing.
    fn write_gap(&self, _: &mut PartBuffer, _: &mut State) {}

    fn end_table(
        &self,
        table: &TableRows<RowText>,
        _: &mut PartBuffer,
        state: &mut State,
    ) -> Vec<String> {
        state.losses.sentences(&quoted_name(&table.table))
    }

    fn end(&self, counts: Counts, damaged: usize) -> Vec<u8> {
        self.layout.end(counts, damaged, self.columns)
    }
}
