//! Which objects of a schema to export.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::schema_text::has_word;
use crate::pipe::{Error, Object, ObjectKind, Schema, Text};

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
        let tables = names.iter().map(|name| Self::find(schema, name)).collect::<Result<_, _>>()?;
        Ok(Self { tables: Some(tables) })
    }

    /// Compares names as SQLite does: ASCII letters without regard to case.
    fn find(schema: &Schema, name: &str) -> Result<Text, Error> {
        let named = |object: &&Object| object.name.eq_ignore_ascii_case(name.as_bytes());
        let refusal = match schema
            .objects
            .iter()
            .filter(|object| matches!(object.kind, ObjectKind::Table | ObjectKind::View))
            .find(named)
        {
            Some(Object { kind: ObjectKind::View, .. }) => {
                "it is a view, which has no rows of its own"
            }
            Some(object) if object.table.as_ref().is_some_and(|table| table.flags.is_virtual) => {
                "it is a virtual table, whose data is in other tables: export the whole database"
            }
            Some(object) => return Ok(object.name.clone()),
            None => "the database has no such table",
        };
        Err(Error::InvalidOptions(format!("table {name:?} can't be exported: {refusal}")))
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
