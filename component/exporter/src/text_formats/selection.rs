//! Which tables to export.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Error, Object, Options, Schema};
use crate::subset::Subset;
use crate::tables::{is_internal, quoted_name, shadows_of, tables};

/// The tables to export, in the order of the schema.
pub(super) struct Selection<'a> {
    pub(super) tables: Vec<&'a Object>,
    /// Exactly one was named. Patterns do not count, whatever they find: the layout depends on what was asked for alone.
    pub(super) is_one_named: bool,
    /// The most rows of each; none: all.
    pub(super) max_rows: Option<u64>,
    /// What is left out, one sentence each.
    pub(super) warnings: Vec<String>,
}

impl<'a> Selection<'a> {
    /// The tables that the options name. None named: all that are the user's own and have rows of their own.
    pub(super) fn new(schema: &'a Schema, options: &Options) -> Result<Self, Error> {
        let subset = Subset::of_rows(schema, options)?;
        let are_named = !options.tables.is_empty();
        let (mut chosen, mut warnings) = (Vec::new(), Vec::new());
        for (object, table) in tables(schema).filter(|(object, _)| subset.has(object)) {
            let is_own = !table.flags.shadow && !is_internal(&object.name);
            if table.flags.is_virtual {
                warnings.push(left_out(schema, object));
            } else if are_named || is_own {
                chosen.push(object);
            }
        }
        let is_one_named = match chosen[..] {
            [one] if are_named => {
                let is_its = |name: &String| one.name.eq_ignore_ascii_case(name.as_bytes());
                options.tables.iter().all(is_its)
            }
            _ => false,
        };
        Ok(Self { tables: chosen, is_one_named, max_rows: subset.max_rows(), warnings })
    }
}

/// That a virtual table is left out.
fn left_out(schema: &Schema, object: &Object) -> String {
    let shadows: Vec<String> =
        shadows_of(schema, object).map(|shadow| quoted_name(&shadow.name)).collect();
    let name = quoted_name(&object.name);
    if shadows.is_empty() {
        return format!("virtual table {name} is left out: it has no rows of its own");
    }
    format!(
        "virtual table {name} is left out: its data is in the tables {}, which are exported if they are named",
        shadows.join(", ")
    )
}
