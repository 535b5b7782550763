//! Which tables to export, in formats that have rows alone.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Column, ColumnKind, Error, Object, Options, Schema};
use crate::subset::Subset;
use crate::tables::{is_internal, quoted_name, shadows_of, tables};

/// How many tables a refusal names.
const MAX_NAMED: usize = 5;

/// The tables to export, in the order of the schema.
pub struct Selection<'a> {
    /// Tables, none of them virtual.
    pub tables: Vec<&'a Object>,
    /// Exactly one was named. Patterns do not count, whatever they find: the layout depends on what was asked for alone.
    pub is_one_named: bool,
    /// The most rows of each; none: all.
    pub max_rows: Option<u64>,
    /// What is left out, one sentence each.
    pub warnings: Vec<String>,
}

impl<'a> Selection<'a> {
    /// The tables that the options name. None named: all that are the user's own and have rows of their own.
    pub fn new(schema: &'a Schema, options: &Options) -> Result<Self, Error> {
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

/// The columns, generated ones too, in the order of the declaration, and a warning if one can't be named as it is.
pub fn columns_of(object: &Object) -> Result<(Vec<&Column>, Option<String>), Error> {
    let name = quoted_name(&object.name);
    let of_table = object.table.iter().flat_map(|table| &table.columns);
    let columns: Vec<&Column> =
        of_table.filter(|column| column.kind != ColumnKind::Hidden).collect();
    if columns.is_empty() {
        return Err(Error::ReadFailed(format!(
            "table {name} has no columns in the schema that the host gave"
        )));
    }
    let mut names = columns.iter().map(|column| &column.name).chain([&object.name]);
    let warning = names.any(|name| core::str::from_utf8(name).is_err()).then(|| {
        format!(
            "table {name} or one of its columns has a name that is not UTF-8: what is invalid in it is written as U+FFFD"
        )
    });
    Ok((columns, warning))
}

/// Not one table is selected, but none or many, in a format that has one: `what` is its name.
pub fn not_one_table(selected: &[&Object], what: &str) -> Error {
    let named = selected.iter().take(MAX_NAMED).map(|object| quoted_name(&object.name));
    let names = named.collect::<Vec<_>>().join(", ");
    let more = if selected.len() > MAX_NAMED { ", …" } else { "" };
    Error::InvalidOptions(match selected.len() {
        0 => format!("there is no table to export as {what}"),
        count => format!(
            "a {what} file has one table, and this would be {count} ({names}{more}): choose one with the option table"
        ),
    })
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
