//! Which objects of a schema to export.

use alloc::string::String;
use alloc::vec::Vec;

use super::schema_text::has_word;
use crate::pipe::{Error, Object, ObjectKind, Schema, Text};
use crate::tables::find_table;

/// The tables to export.
pub(super) struct Selection {
    /// None: all.
    tables: Option<Vec<Text>>,
}

impl Selection {
    /// Finds the tables by their names; no names: everything.
    pub(super) fn new(schema: &Schema, names: &[String]) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(Self { tables: None });
        }
        let find = |name| find_table(schema, name, "export the whole database");
        let tables = names.iter().map(|name| Ok(find(name)?.name.clone()));
        Ok(Self { tables: Some(tables.collect::<Result<_, Error>>()?) })
    }

    /// The names by which `sqlite_sequence` has the counters of the chosen tables; none: all are chosen.
    pub(super) fn counters(&self, schema: &Schema) -> Option<Vec<Text>> {
        let tables = self.tables.as_ref()?;
        let counts = |object: &&Object| {
            let sql = object.sql.as_deref().unwrap_or_default();
            object.kind == ObjectKind::Table
                && tables.contains(&object.name)
                && has_word(sql, b"AUTOINCREMENT")
        };
        Some(schema.objects.iter().filter(counts).map(|object| object.name.clone()).collect())
    }

    /// Whether an object is to be exported: a table, or what belongs to it.
    pub(super) fn has(&self, object: &Object) -> bool {
        match &self.tables {
            None => true,
            Some(tables) => {
                object.kind != ObjectKind::View
                    && tables.iter().any(|table| table.eq_ignore_ascii_case(&object.on))
            }
        }
    }
}
