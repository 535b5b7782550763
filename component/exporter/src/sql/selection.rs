//! Which objects of a schema to export, and which counters.

use alloc::vec::Vec;

use super::schema_text::has_word;
use crate::pipe::{Error, Object, ObjectKind, Options, Schema, Text};
use crate::subset::{Content, Subset};

/// What to export.
pub(super) struct Selection(pub(super) Subset);

impl Selection {
    /// Finds what the options ask for.
    pub(super) fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        Subset::new(schema, options).map(Self)
    }

    /// The names by which `sqlite_sequence` has the counters of the chosen tables; none: all are chosen.
    pub(super) fn counters(&self, schema: &Schema) -> Option<Vec<Text>> {
        if self.0.has_all_tables() {
            return None;
        }
        let counts = |object: &&Object| {
            let sql = object.sql.as_deref().unwrap_or_default();
            object.kind == ObjectKind::Table
                && self.0.content() != Content::Definitions
                && self.0.has(object)
                && has_word(sql, b"AUTOINCREMENT")
        };
        Some(schema.objects.iter().filter(counts).map(|object| object.name.clone()).collect())
    }
}
