//! What is known of a database's tables: read once, and asked by whoever opens a scan, without the thread that reads.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::describe::describe;
use crate::error::{rows_error, shown};
use crate::scan::{KeyKind, primary_key, quoted};
use partway_wasmtime::rows::{Error as RowsError, Schema, Table, TableFlags};

/// The schema, by the names of its tables.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) schema: Schema,
    tables: HashMap<Vec<u8>, Known>,
}

/// A table.
#[derive(Debug)]
struct Known {
    /// Which object of the schema it is.
    object: usize,
    /// What orders it.
    key: Result<KeyKind, RowsError>,
}

impl Catalog {
    /// Reads the whole schema.
    pub(crate) fn read(connection: &Connection) -> Result<Self, RowsError> {
        let schema = describe(connection).map_err(|error| rows_error("the schema", &error))?;
        let mut tables = HashMap::with_capacity(schema.objects.len());
        for (object, described) in schema.objects.iter().enumerate() {
            if let Some(table) = &described.table {
                let name = &described.name;
                tables
                    .entry(name.clone())
                    .or_insert_with(|| Known { object, key: key(connection, name, table) });
            }
        }
        Ok(Self { schema, tables })
    }

    /// A table that can be scanned, and what orders it.
    pub(crate) fn table(&self, name: &[u8]) -> Result<(&Table, &KeyKind), RowsError> {
        let found = self.tables.get(name).and_then(|known| {
            let table = self.schema.objects.get(known.object)?.table.as_ref()?;
            Some((table, &known.key))
        });
        let (table, key) =
            found.ok_or_else(|| RowsError::UnknownTable(format!("there is no {}", shown(name))))?;
        Ok((table, key.as_ref().map_err(Clone::clone)?))
    }
}

fn key(connection: &Connection, name: &[u8], table: &Table) -> Result<KeyKind, RowsError> {
    if table.flags.contains(TableFlags::VIRTUAL) {
        return Err(RowsError::Unavailable(format!(
            "{} is virtual: its rows live in its shadow tables",
            shown(name)
        )));
    }
    if table.flags.contains(TableFlags::WITHOUT_ROWID) {
        let key =
            primary_key(connection, name).map_err(|error| rows_error(&shown(name), &error))?;
        return Ok(KeyKind::Primary(key));
    }
    Ok(match &table.rowid {
        Some(rowid) => KeyKind::Rowid(quoted(rowid)),
        None => KeyKind::Ordinal,
    })
}
