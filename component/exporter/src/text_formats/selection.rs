//! Which tables to export.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Error, Object, Schema};
use crate::tables::{find_table, is_internal, quoted_name};

/// The tables to export, in the order of the schema.
pub(super) struct Selection<'a> {
    pub(super) tables: Vec<&'a Object>,
    /// What is left out, one sentence each.
    pub(super) warnings: Vec<String>,
}

impl<'a> Selection<'a> {
    /// The tables with these names. No names: all that are the user's own and have rows of their own.
    pub(super) fn new(schema: &'a Schema, names: &[String]) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(Self::all(schema));
        }
        let find = |name: &String| find_table(schema, name, "name one of those");
        let wanted: Vec<&Object> = names.iter().map(find).collect::<Result<_, _>>()?;
        let is_wanted =
            |object: &&Object| wanted.iter().any(|wanted| core::ptr::eq(*wanted, *object));
        let tables = schema.objects.iter().filter(is_wanted).collect();
        Ok(Self { tables, warnings: Vec::new() })
    }

    fn all(schema: &'a Schema) -> Self {
        let mut all = Self { tables: Vec::new(), warnings: Vec::new() };
        for object in &schema.objects {
            let Some(table) = &object.table else { continue };
            if table.flags.is_virtual {
                all.warnings.push(left_out(schema, object));
            } else if !table.flags.shadow && !is_internal(&object.name) {
                all.tables.push(object);
            }
        }
        all
    }
}

/// That a virtual table is left out. A shadow table has its name, and a word behind it.
fn left_out(schema: &Schema, object: &Object) -> String {
    let is_of_it = |shadow: &&Object| {
        let rest = shadow.name.strip_prefix(&object.name[..]);
        shadow.table.as_ref().is_some_and(|table| table.flags.shadow)
            && rest.is_some_and(|rest| rest.starts_with(b"_"))
    };
    let shadows: Vec<String> =
        schema.objects.iter().filter(is_of_it).map(|shadow| quoted_name(&shadow.name)).collect();
    let name = quoted_name(&object.name);
    if shadows.is_empty() {
        return format!("virtual table {name} is left out: it has no rows of its own");
    }
    format!(
        "virtual table {name} is left out: its data is in the tables {}, which are exported if they are named",
        shadows.join(", ")
    )
}
