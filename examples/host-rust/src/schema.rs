//! The schema of a database, in the contract's form.

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result, Row};

use crate::host::rows::{
    AutoVacuum, Column, ColumnKind, Encoding, Object, ObjectKind, Schema, Table, TableFlags,
};

/// Names and SQL come from SQLite in UTF-8, whatever the database's encoding is, but need not be valid.
fn text(row: &Row<'_>, index: usize) -> Result<Vec<u8>> {
    Ok(row.get_ref(index)?.as_bytes_or_null()?.unwrap_or_default().to_vec())
}

pub fn read(database: &Connection) -> Result<Schema> {
    let number = |pragma: &str| {
        database.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
    };
    let encoding: String = database.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    let mut objects = Vec::new();
    let mut select =
        database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid")?;
    let mut rows = select.query([])?;
    let flags = flags(database)?;
    while let Some(row) = rows.next()? {
        let kind = match row.get_ref(0)? {
            ValueRef::Text(b"table") => ObjectKind::Table,
            ValueRef::Text(b"index") => ObjectKind::Index,
            ValueRef::Text(b"view") => ObjectKind::View,
            _ => ObjectKind::Trigger,
        };
        let name = text(row, 1)?;
        let table = match kind {
            ObjectKind::Table => {
                let flags = flags.get(&name).copied().unwrap_or(TableFlags::empty());
                Some(read_table(database, &row.get::<_, String>(1)?, flags)?)
            }
            _ => None,
        };
        let sql = match row.get_ref(3)? {
            ValueRef::Null => None,
            _ => Some(text(row, 3)?),
        };
        objects.push(Object { kind, name, on: text(row, 2)?, sql, table });
    }
    Ok(Schema {
        encoding: match encoding.as_str() {
            "UTF-16le" => Encoding::Utf16le,
            "UTF-16be" => Encoding::Utf16be,
            _ => Encoding::Utf8,
        },
        user_version: number("user_version")? as i32,
        application_id: number("application_id")? as i32,
        page_size: number("page_size")? as u32,
        auto_vacuum: match number("auto_vacuum")? {
            1 => AutoVacuum::Full,
            2 => AutoVacuum::Incremental,
            _ => AutoVacuum::None,
        },
        objects,
    })
}

/// A table that may be scanned, by its name; none if there is none.
pub fn find_table(database: &Connection, name: &str) -> Result<Option<Table>> {
    let select = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    let found = database.query_row(select, [name], |_| Ok(())).optional()?;
    let flags = flags(database)?.get(name.as_bytes()).copied().unwrap_or(TableFlags::empty());
    found.map(|()| read_table(database, name, flags)).transpose()
}

fn flags(database: &Connection) -> Result<HashMap<Vec<u8>, TableFlags>> {
    let mut select = database.prepare(
        "SELECT name, wr, strict, type = 'virtual', type = 'shadow' FROM pragma_table_list WHERE schema = 'main'",
    )?;
    let known =
        [TableFlags::WITHOUT_ROWID, TableFlags::STRICT, TableFlags::VIRTUAL, TableFlags::SHADOW];
    let tables = select.query_map([], |row| {
        let mut flags = TableFlags::empty();
        for (index, flag) in known.into_iter().enumerate() {
            if row.get(index + 1)? {
                flags |= flag;
            }
        }
        Ok((text(row, 0)?, flags))
    })?;
    tables.collect()
}

fn read_table(database: &Connection, name: &str, flags: TableFlags) -> Result<Table> {
    let is_virtual = flags.contains(TableFlags::VIRTUAL);
    let mut select = database
        .prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let columns = select
        .query_map([name], |row| {
            Ok(Column {
                name: text(row, 0)?,
                declared_type: text(row, 1)?,
                primary_key: row.get(2)?,
                kind: match row.get(3)? {
                    1 => ColumnKind::Hidden,
                    2 => ColumnKind::GeneratedVirtual,
                    3 => ColumnKind::GeneratedStored,
                    _ => ColumnKind::Ordinary,
                },
            })
        })
        .and_then(|columns| columns.collect::<Result<Vec<_>>>());
    let columns = match columns {
        // Without the module of a virtual table nobody knows its columns.
        Err(_) if is_virtual => Vec::new(),
        columns => columns?,
    };
    let rowid = match flags.intersects(TableFlags::VIRTUAL | TableFlags::WITHOUT_ROWID) {
        true => None,
        false => rowid_name(database, name, &columns)?,
    };
    let mut select = database
        .prepare("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1) ORDER BY 1")?;
    let references = match is_virtual {
        true => Vec::new(),
        false => select.query_map([name], |row| text(row, 0))?.collect::<Result<_>>()?,
    };
    // To count the rows is to read the table.
    Ok(Table { columns, rowid, references, flags, estimated_rows: None })
}

/// An INTEGER PRIMARY KEY, or the first of SQLite's own names that no column has.
fn rowid_name(database: &Connection, table: &str, columns: &[Column]) -> Result<Option<Vec<u8>>> {
    let key: Vec<&Column> = columns.iter().filter(|column| column.primary_key > 0).collect();
    if let [only] = key[..]
        && only.declared_type.eq_ignore_ascii_case(b"INTEGER")
    {
        // INTEGER PRIMARY KEY DESC is not the rowid: it has an index of its own.
        let indexes: u32 = database.query_row(
            "SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'",
            [table],
            |row| row.get(0),
        )?;
        if indexes == 0 {
            return Ok(Some(only.name.clone()));
        }
    }
    let is_free = |name: &&str| {
        !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name.as_bytes()))
    };
    Ok(["rowid", "_rowid_", "oid"]
        .iter()
        .find(|name| is_free(name))
        .map(|name| name.as_bytes().to_vec()))
}
