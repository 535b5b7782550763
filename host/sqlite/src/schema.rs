//! Reads the schema of a database, in the contract's form.

use std::collections::HashMap;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::database::Database;
use crate::identifier::as_parameter;
use partway_wasmtime::rows::{
    AutoVacuum, Column, ColumnKind, Encoding, Object, ObjectKind, Schema, Table, TableFlags,
};

/// Reads the whole schema.
pub(crate) fn read_schema(database: &Database) -> rusqlite::Result<Schema> {
    let number = |pragma: &str| {
        let sql = database.sql(&format!("PRAGMA schema.{pragma}"));
        database.query_row(&sql, [], |row| row.get::<_, i64>(0))
    };
    let encoding: String = database.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    let flags = table_flags(database)?;
    let estimates = estimates(database);

    let mut objects = Vec::new();
    let stored = "SELECT type, name, tbl_name, sql FROM schema.sqlite_master ORDER BY rowid";
    let mut statement = database.prepare(&database.sql(stored))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind = match row.get_ref(0)? {
            ValueRef::Text(b"table") => ObjectKind::Table,
            ValueRef::Text(b"index") => ObjectKind::Index,
            ValueRef::Text(b"view") => ObjectKind::View,
            ValueRef::Text(b"trigger") => ObjectKind::Trigger,
            _ => continue,
        };
        let name = bytes(row, 1)?;
        let sql = match row.get_ref(3)? {
            ValueRef::Null => None,
            _ => Some(bytes(row, 3)?),
        };
        let table = match kind {
            ObjectKind::Table => {
                let flags = flags.get(&name).copied().unwrap_or(TableFlags::empty());
                let mut table = table(database, &name, flags, sql.as_deref())?;
                table.estimated_rows = estimates.get(&name).copied();
                Some(table)
            }
            _ => None,
        };
        objects.push(Object { kind, name, on: bytes(row, 2)?, sql, table });
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

fn bytes(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(row.get_ref(index)?.as_bytes_or_null()?.unwrap_or_default().to_vec())
}

fn table_flags(database: &Database) -> rusqlite::Result<HashMap<Vec<u8>, TableFlags>> {
    let mut tables = HashMap::new();
    let mut statement = database
        .prepare("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = ?1")?;
    let mut rows = statement.query([as_parameter(database.schema_text())])?;
    while let Some(row) = rows.next()? {
        let mut flags = match row.get_ref(1)? {
            ValueRef::Text(b"virtual") => TableFlags::VIRTUAL,
            ValueRef::Text(b"shadow") => TableFlags::SHADOW,
            _ => TableFlags::empty(),
        };
        for (index, flag) in [(2, TableFlags::WITHOUT_ROWID), (3, TableFlags::STRICT)] {
            if row.get(index)? {
                flags |= flag;
            }
        }
        tables.insert(bytes(row, 0)?, flags);
    }
    Ok(tables)
}

/// Reads the details of a table. `sql` is the statement that created it.
fn table(
    database: &Database,
    name: &[u8],
    flags: TableFlags,
    sql: Option<&[u8]>,
) -> rusqlite::Result<Table> {
    let mut statement = database.prepare_cached(
        "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1, ?2) ORDER BY cid",
    )?;
    let columns: rusqlite::Result<Vec<Column>> = statement
        .query_map([as_parameter(name), as_parameter(database.schema_text())], |row| {
            Ok(Column {
                name: bytes(row, 0)?,
                declared_type: bytes(row, 1)?,
                primary_key: row.get(2)?,
                kind: match row.get(3)? {
                    1 => ColumnKind::Hidden,
                    2 => ColumnKind::GeneratedVirtual,
                    3 => ColumnKind::GeneratedStored,
                    _ => ColumnKind::Ordinary,
                },
            })
        })
        .and_then(|columns| columns.collect());
    let is_virtual = flags.contains(TableFlags::VIRTUAL);
    let columns = match columns {
        Ok(columns) => columns,
        // Without its module nobody knows the columns.
        Err(_) if is_virtual => Vec::new(),
        Err(error) => return Err(error),
    };
    let rowid = if is_virtual || flags.contains(TableFlags::WITHOUT_ROWID) {
        None
    } else {
        rowid_name(database, name, &columns)?
    };
    let references = if !is_virtual && may_have_references(sql) {
        references(database, name)?
    } else {
        Vec::new()
    };
    Ok(Table { columns, rowid, references, flags, estimated_rows: None })
}

/// Whether a table that this SQL created may have foreign keys: each has the word. Asking SQLite
/// takes as long as reading some rows, and there may be thousands of tables.
fn may_have_references(sql: Option<&[u8]>) -> bool {
    const WORD: &[u8] = b"REFERENCES";
    sql.is_none_or(|sql| sql.windows(WORD.len()).any(|text| text.eq_ignore_ascii_case(WORD)))
}

/// The tables that a table's foreign keys reference.
fn references(database: &Database, table: &[u8]) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = database.prepare_cached(
        "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1, ?2) ORDER BY 1",
    )?;
    let parameters = [as_parameter(table), as_parameter(database.schema_text())];
    let names = statement.query_map(parameters, |row| bytes(row, 0))?;
    names.collect()
}

/// The name that reaches a rowid table's rowid: that of its INTEGER PRIMARY KEY, or one of SQLite's own three
/// that no column has.
fn rowid_name(
    database: &Database,
    table: &[u8],
    columns: &[Column],
) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut key = columns.iter().filter(|column| column.primary_key > 0);
    if let (Some(column), None) = (key.next(), key.next())
        && column.declared_type.eq_ignore_ascii_case(b"INTEGER")
    {
        // `INTEGER PRIMARY KEY DESC` and `PRIMARY KEY (a, a)` are ordinary columns, and then the key has an
        // index of its own.
        let has_index: bool = database
            .prepare_cached("SELECT count(*) FROM pragma_index_list(?1, ?2) WHERE origin = 'pk'")?
            .query_row([as_parameter(table), as_parameter(database.schema_text())], |row| {
                row.get(0)
            })?;
        if !has_index {
            return Ok(Some(column.name.clone()));
        }
    }
    let free = |name: &&[u8]| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let names: [&[u8]; 3] = [b"rowid", b"_rowid_", b"oid"];
    Ok(names.into_iter().find(free).map(<[u8]>::to_vec))
}

/// Row counts that `ANALYZE` left; none where it never ran.
fn estimates(database: &Database) -> HashMap<Vec<u8>, u64> {
    let read = || -> rusqlite::Result<HashMap<Vec<u8>, u64>> {
        let mut estimates = HashMap::new();
        let mut statement =
            database.prepare(&database.sql("SELECT tbl, stat FROM schema.sqlite_stat1"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let stat = bytes(row, 1)?;
            let first = stat.split(|byte| *byte == b' ').next().unwrap_or_default();
            if let Some(rows) = std::str::from_utf8(first).ok().and_then(|text| text.parse().ok()) {
                estimates.insert(bytes(row, 0)?, rows);
            }
        }
        Ok(estimates)
    };
    // They are for progress only, and most databases have none.
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rowid_goes_by_the_name_that_reaches_it() {
        let database = Database::main(rusqlite::Connection::open_in_memory().unwrap());
        for (columns, rowid) in [
            ("(a INTEGER PRIMARY KEY)", Some("a")),
            ("(a INTEGER, PRIMARY KEY (a DESC))", Some("a")),
            ("(a INTEGER PRIMARY KEY DESC)", Some("rowid")),
            ("(a INTEGER, PRIMARY KEY (a, A))", Some("rowid")),
            ("(a INT PRIMARY KEY, rowid)", Some("_rowid_")),
            ("(rowid, _rowid_, oid)", None),
            ("(a INTEGER PRIMARY KEY) WITHOUT ROWID", None),
        ] {
            database
                .execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t {columns}"))
                .unwrap();
            let table = read_schema(&database).unwrap().objects.remove(0).table.unwrap();
            assert_eq!(table.rowid.as_deref(), rowid.map(str::as_bytes), "{columns}");
        }
    }

    #[test]
    fn foreign_keys_are_found_however_they_are_written() {
        let database = Database::main(rusqlite::Connection::open_in_memory().unwrap());
        let tables = "CREATE TABLE t (a, b REFERENCES\tu, FOREIGN KEY (a) references[v](c));
             ALTER TABLE t ADD COLUMN d/**/ReFeReNcEs w";
        database.execute_batch(tables).unwrap();
        let table = read_schema(&database).unwrap().objects.remove(0).table.unwrap();
        assert_eq!(table.references, [b"u", b"v", b"w"]);
    }
}
