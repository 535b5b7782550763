//! The tables of a database and their order: read once, so that opening a scan does not have to
//! wait.

use std::collections::HashMap;
use std::ffi::CString;

use crate::database::Database;
use crate::error::rows_error;
use crate::identifier::{displayed_table, quoted};
use crate::key_order::{KeyOrder, read_primary_key};
use crate::schema::read_schema;
use partway_wasmtime::rows::{Error as RowsError, Schema, Table, TableFlags};

/// The schema, by the names of its tables.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) schema: Schema,
    /// What no object's name begins with.
    unused_prefix: String,
    tables: HashMap<Vec<u8>, TableEntry>,
}

#[derive(Debug)]
struct TableEntry {
    /// The index of its object in the schema.
    object: usize,
    /// What orders it, or why it can't be scanned.
    order: Result<KeyOrder, RowsError>,
}

impl Catalog {
    /// Reads the whole schema.
    pub(crate) fn read(database: &Database) -> Result<Self, RowsError> {
        let schema = read_schema(database).map_err(|error| rows_error("the schema", &error))?;
        let mut tables = HashMap::with_capacity(schema.objects.len());
        for (object, described) in schema.objects.iter().enumerate() {
            if let Some(table) = &described.table {
                let name = &described.name;
                tables
                    .entry(name.clone())
                    .or_insert_with(|| TableEntry { object, order: order(database, name, table) });
            }
        }
        let unused_prefix = unused_prefix(&schema);
        Ok(Self { schema, unused_prefix, tables })
    }

    /// A name for a table that no object has.
    pub(crate) fn unused_name(&self, table: &[u8]) -> Option<CString> {
        let object = self.tables.get(table)?.object;
        CString::new(format!("{}{object}", self.unused_prefix)).ok()
    }

    /// A table that can be scanned, and what orders it.
    pub(crate) fn table(&self, name: &[u8]) -> Result<(&Table, &KeyOrder), RowsError> {
        let found = self.tables.get(name).and_then(|entry| {
            let table = self.schema.objects.get(entry.object)?.table.as_ref()?;
            Some((table, &entry.order))
        });
        let (table, order) = found.ok_or_else(|| {
            RowsError::UnknownTable(format!("there is no {}", displayed_table(name)))
        })?;
        Ok((table, order.as_ref().map_err(Clone::clone)?))
    }
}

/// What no object's name begins with, whatever the case of its letters.
fn unused_prefix(schema: &Schema) -> String {
    let mut prefix = "partway_".to_owned();
    let begins = |name: &[u8], prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    while schema.objects.iter().any(|object| begins(&object.name, &prefix)) {
        prefix.push('_');
    }
    prefix
}

fn order(database: &Database, name: &[u8], table: &Table) -> Result<KeyOrder, RowsError> {
    if table.flags.contains(TableFlags::VIRTUAL) {
        return Err(RowsError::Unavailable(format!(
            "{} is virtual: its data is in its shadow tables",
            displayed_table(name)
        )));
    }
    if table.flags.contains(TableFlags::WITHOUT_ROWID) {
        let key = read_primary_key(database, name)
            .map_err(|error| rows_error(&displayed_table(name), &error))?;
        return Ok(KeyOrder::PrimaryKey(key));
    }
    Ok(match &table.rowid {
        Some(rowid) => KeyOrder::Rowid(quoted(rowid)),
        None => KeyOrder::Ordinal,
    })
}
