//! The text of a SQL dump.

mod cell;
mod d1;
mod hex;
mod integer;
mod name;
mod real;
mod schema_text;
mod scratch;
mod script;
mod selection;
mod settings;
mod sqlite;
mod text;

use alloc::format;
use alloc::vec::Vec;

pub(crate) use cell::{CellWriter, value_closing, value_opening, whole_characters, write_piece};
pub(crate) use scratch::Scratch;

use crate::pipe::{Error, Object, Options, Schema};
use crate::plan::Plan;
use script::Script;
use selection::Selection;
use settings::{Settings, Target};

/// What stands between two rows of a statement, up to the second one's first value.
pub(crate) const NEXT_ROW: &[u8; 3] = b",\n(";

/// What ends a statement.
pub(crate) const CLOSING: &[u8] = b";\n";

/// Plans a dump.
pub(crate) fn plan(schema: &Schema, options: &Options) -> Result<Plan, Error> {
    let settings = Settings::new(&options.settings)?;
    let selection = Selection::new(schema, &options.tables)?;
    let objects: Vec<&Object> =
        schema.objects.iter().filter(|object| selection.has(object)).collect();
    let mut script = Script::new(schema, settings);
    match settings.target {
        Target::Sqlite => sqlite::write(&mut script, schema, &objects)?,
        Target::D1 => d1::write(&mut script, schema, &objects)?,
    }
    script.warn_of_rowids(schema, &objects);
    Ok(script.into_plan(schema))
}

/// The comment at the end: who finds it knows that nothing has been cut off, and what to expect. Where tables
/// were damaged, another: such a dump is not whole, though it ends as it should.
pub(crate) fn end_mark(tables: u32, rows: u64, damaged: usize) -> Vec<u8> {
    if damaged == 0 {
        format!("-- partway:end tables={tables} rows={rows}\n").into_bytes()
    } else {
        format!("-- partway:incomplete tables={tables} rows={rows} damaged={damaged}\n")
            .into_bytes()
    }
}
