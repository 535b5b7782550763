//! The format `sql`: a dump's plan, and how a slice carries it out.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::long_values::LongRow;
use super::plan::{Insert, Plan};
use super::plan_builder::PlanBuilder;
use super::selection::Selection;
use super::settings::Settings;
use super::state::State;
use super::target::Target;
use super::{d1, insert, sqlite};
use crate::cells::Cells;
use crate::checkpoint::Counts;
use crate::format::{Format, Step, TableRows};
use crate::output::{Flow, Output};
use crate::part_buffer::PartBuffer;
use crate::pipe::{Cursor, Error, Object, Options, Schema};
use crate::tables::quoted_name;

impl Format for Plan {
    type Table = Insert;
    type State = State;

    fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        let settings = Settings::new(&options.settings)?;
        let selection = Selection::new(schema, options)?;
        let subset = &selection.0;
        let objects: Vec<&Object> =
            schema.objects.iter().filter(|object| subset.has(object)).collect();
        let mut plan = PlanBuilder::new(schema, settings, subset);
        let counters = selection.counters(schema);
        match settings.target {
            Target::Sqlite => sqlite::write(&mut plan, schema, &objects, counters.as_deref())?,
            Target::D1 => d1::write(&mut plan, schema, &objects, counters.as_deref())?,
        }
        plan.warn_of_rowids(schema, &objects);
        subset.warnings(schema).into_iter().for_each(|warning| plan.warn(warning));
        Ok(plan.build(schema.encoding))
    }

    fn digest(&self) -> u64 {
        self.digest()
    }

    fn steps(&self) -> &[Step<Insert>] {
        &self.steps
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn batch_bytes(&self) -> u32 {
        self.limits.batch
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
        table: &TableRows<Insert>,
        cells: &mut Cells<'_>,
        text: &mut PartBuffer,
        state: &mut State,
    ) -> Result<(), Error> {
        insert::write_row(self, table, cells, text, state)
    }

    fn write_long_row<C: Cursor>(
        &self,
        table: &TableRows<Insert>,
        cursor: &mut C,
        row: u32,
        cells: &mut Cells<'_>,
        output: &mut Output<'_, State>,
    ) -> Result<Flow, Error> {
        LongRow { plan: self, table, cursor, row, output }.write(cells)
    }

    fn write_gap(&self, text: &mut PartBuffer, state: &mut State) {
        insert::end_statement(text, state);
        text.text().extend_from_slice(b"-- partway:missing rows\n");
    }

    fn end_table(
        &self,
        table: &TableRows<Insert>,
        text: &mut PartBuffer,
        state: &mut State,
    ) -> Vec<String> {
        insert::end_statement(text, state);
        if state.unconverted == 0 {
            return Vec::new();
        }
        vec![format!(
            "characters of table {} that are invalid in UTF-16 are U+FFFD in the dump: {} of them",
            quoted_name(&table.table),
            state.unconverted
        )]
    }

    /// The comment at the end: a dump that has it has not been cut off. Where something was damaged the
    /// comment is another one: such a dump is not whole, though it ends as it should.
    fn end(&self, Counts { tables, rows }: Counts, damaged: usize) -> Vec<u8> {
        if damaged == 0 {
            format!("-- partway:end tables={tables} rows={rows}\n").into_bytes()
        } else {
            format!("-- partway:incomplete tables={tables} rows={rows} damaged={damaged}\n")
                .into_bytes()
        }
    }
}
