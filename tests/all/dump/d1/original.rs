//! Reads a database into the document that `read.mjs` makes of the loaded one.

use base16ct::lower::encode_string as hex;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result, Row};
use serde_json::{Value, json};

const OURS: &str =
    "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";

/// Objects, all rows of all tables, `sqlite_sequence` and `sqlite_stat1`.
pub fn read(connection: &Connection) -> Result<Value> {
    let objects = plain_rows(
        connection,
        &format!("SELECT type, name, sql FROM sqlite_master WHERE {OURS} ORDER BY type, name"),
    )?;
    let mut statement = connection.prepare(&format!(
        "SELECT name, wr FROM pragma_table_list
           WHERE schema = 'main' AND type IN ('table', 'virtual') AND {OURS} ORDER BY name"
    ))?;
    let tables: Vec<(String, bool)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let tables = tables
        .iter()
        .map(|(name, without_rowid)| table(connection, name, *without_rowid))
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "objects": objects,
        "tables": tables,
        "sequence": internal(connection, "sqlite_sequence", "name, CAST(seq AS TEXT)")?,
        "stat1": internal(connection, "sqlite_stat1", "tbl, idx, stat")?,
    }))
}

fn table(connection: &Connection, name: &str, without_rowid: bool) -> Result<Value> {
    let mut statement =
        connection.prepare("SELECT name, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns: Vec<(String, i64)> = statement
        .query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let is_free = |rowid: &&str| !names.iter().any(|name| name.eq_ignore_ascii_case(rowid));
    let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(is_free).filter(|_| !without_rowid);

    let order = if let Some(rowid) = rowid {
        rowid.to_owned()
    } else {
        let mut key: Vec<_> =
            columns.iter().filter(|(_, place)| !without_rowid || *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let key = key.iter().map(|(name, _)| format!("{} COLLATE BINARY", quoted(name)));
        key.collect::<Vec<_>>().join(", ")
    };
    let selected = rowid.map(str::to_owned).into_iter();
    let selected = selected.chain(names.iter().map(|name| quoted(name))).collect::<Vec<_>>();
    let sql = format!("SELECT {} FROM {} ORDER BY {order}", selected.join(", "), quoted(name));
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map([], |row| cells(row, selected.len()))?.collect::<Result<Vec<_>>>()?;
    Ok(json!({ "name": name, "rowid": rowid, "columns": names, "rows": rows }))
}

fn cells(row: &Row<'_>, columns: usize) -> Result<Value> {
    (0..columns).map(|column| Ok(cell(row.get_ref(column)?))).collect()
}

/// A cell: integers in decimal digits, reals as the hexadecimal digits of their bits, text and blobs in
/// hexadecimal digits.
fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => json!(["null", ""]),
        ValueRef::Integer(value) => json!(["integer", value.to_string()]),
        ValueRef::Real(value) => json!(["real", format!("{:016x}", value.to_bits())]),
        ValueRef::Text(text) => json!(["text", hex(text)]),
        ValueRef::Blob(blob) => json!(["blob", hex(blob)]),
    }
}

fn internal(connection: &Connection, table: &str, columns: &str) -> Result<Vec<Value>> {
    let has: bool = connection.query_row(
        "SELECT count(*) FROM sqlite_master WHERE name = ?1",
        [table],
        |row| row.get(0),
    )?;
    if !has {
        return Ok(Vec::new());
    }
    plain_rows(connection, &format!("SELECT {columns} FROM {table} ORDER BY {columns}"))
}

/// Rows of text and NULL.
fn plain_rows(connection: &Connection, sql: &str) -> Result<Vec<Value>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns).map(|column| Ok(json!(row.get::<_, Option<String>>(column)?))).collect()
    })?;
    rows.collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
