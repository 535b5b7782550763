//! The queries behind a scan: a table's rows by key, from a position on. Never by `OFFSET`, which is
//! quadratic, but where no name reaches the rowid.

use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;

use super::error::{rows_error, shown};
use super::key::{Key, KeyCell};
use crate::contract::rows::{ColumnKind, Encoding, Error as RowsError, Schema, TableFlags};

/// What a scan reads: a table, its columns, and the key that orders it.
#[derive(Debug)]
pub(super) struct Scan {
    /// The table's name, quoted.
    table: String,
    /// For messages.
    pub(super) shown: String,
    /// The table's name as it is.
    pub(super) name: String,
    /// The columns asked for.
    pub(super) columns: Vec<String>,
    pub(super) key: KeyKind,
    utf8: bool,
}

/// What orders a table.
#[derive(Debug)]
pub(super) enum KeyKind {
    /// The rowid, under a name that reaches it.
    Rowid(String),
    /// The primary key of a WITHOUT ROWID table.
    Primary(Vec<KeyColumn>),
    /// Nothing that a query could name: three columns are called rowid, _rowid_ and oid.
    Ordinal,
}

/// A column of a primary key, in the key's own direction and collation.
#[derive(Debug)]
pub(super) struct KeyColumn {
    /// Quoted.
    name: String,
    descending: bool,
    /// Quoted.
    collation: String,
}

/// How cells are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Read {
    /// As they are.
    Plain,
    /// Each as type, length and value, so that a long value stays where it is, and text comes as the bytes
    /// that are stored and not as UTF-8.
    Guarded,
}

impl Read {
    /// Result columns for one column of a primary key.
    pub(super) fn key_width(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Guarded => 2,
        }
    }
}

impl Scan {
    /// Resolves names against the schema.
    pub(super) fn new(
        connection: &Connection,
        schema: &Schema,
        name: &[u8],
        columns: &[Vec<u8>],
    ) -> Result<Self, RowsError> {
        let shown = shown(name);
        let unknown = || RowsError::UnknownTable(format!("there is no {shown}"));
        let table = schema
            .objects
            .iter()
            .filter(|object| object.name == name)
            .find_map(|object| object.table.as_ref())
            .ok_or_else(unknown)?;
        if table.flags.contains(TableFlags::VIRTUAL) {
            return Err(RowsError::Unavailable(format!(
                "{shown} is virtual: its rows live in its shadow tables"
            )));
        }
        let utf8_name = |name: &[u8]| match std::str::from_utf8(name) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(RowsError::Unavailable(format!(
                "{shown} can't be read: its name, or that of a column, is not UTF-8"
            ))),
        };
        for column in columns {
            let known = table
                .columns
                .iter()
                .any(|known| known.name == *column && known.kind != ColumnKind::Hidden)
                || table.rowid.as_ref() == Some(column);
            if !known {
                return Err(RowsError::UnknownColumn(format!(
                    "{shown} has no column {:?}",
                    String::from_utf8_lossy(column)
                )));
            }
        }
        let name = utf8_name(name)?;
        let key = if table.flags.contains(TableFlags::WITHOUT_ROWID) {
            let key = primary_key(connection, &name).map_err(|error| rows_error(&shown, &error))?;
            KeyKind::Primary(key)
        } else {
            match &table.rowid {
                Some(rowid) => KeyKind::Rowid(quoted(&utf8_name(rowid)?)),
                None => KeyKind::Ordinal,
            }
        };
        Ok(Self {
            table: quoted(&name),
            name,
            columns: columns.iter().map(|column| utf8_name(column)).collect::<Result<_, _>>()?,
            key,
            utf8: schema.encoding == Encoding::Utf8,
            shown,
        })
    }

    /// The place that a position means.
    pub(super) fn key(&self, position: &[u8]) -> Result<Key, RowsError> {
        let key = Key::decode(position).filter(|key| match (key, &self.key) {
            (Key::Start, _)
            | (Key::Rowid(_), KeyKind::Rowid(_))
            | (Key::Ordinal(_), KeyKind::Ordinal) => true,
            (Key::Primary(cells), KeyKind::Primary(columns)) => cells.len() == columns.len(),
            _ => false,
        });
        key.ok_or_else(|| RowsError::InvalidPosition(format!("no such position in {}", self.shown)))
    }

    /// How cells are asked for as long as none is long.
    pub(super) fn usual_read(&self) -> Read {
        if self.utf8 { Read::Plain } else { Read::Guarded }
    }

    /// How many ranges make up what lies behind a key.
    ///
    /// Behind the key (a, b, c) lie first the rows with the same a and b and a further c, then those with
    /// the same a and a further b, then those with a further a. Each is one range of the index,
    /// whatever the directions and collations; a comparison of row values is one for
    /// ascending keys only.
    pub(super) fn ranges(&self, key: &Key) -> usize {
        match key {
            Key::Primary(cells) => cells.len(),
            _ => 1,
        }
    }

    /// The query for a range behind a key.
    pub(super) fn query<'k>(
        &self,
        key: &'k Key,
        range: usize,
        read: Read,
        max_bytes: u32,
        one_row: bool,
    ) -> (String, Vec<ToSqlOutput<'k>>) {
        let mut parameters = Vec::new();
        let (condition, order) = match (&self.key, key) {
            (KeyKind::Rowid(name), Key::Rowid(rowid)) => {
                parameters.push((*rowid).into());
                (format!("WHERE {name} > ?1"), format!("ORDER BY {name}"))
            }
            (KeyKind::Rowid(name), _) => (String::new(), format!("ORDER BY {name}")),
            (KeyKind::Primary(columns), Key::Primary(cells)) => {
                let depth = cells.len() - range;
                let condition = condition(columns, &cells[..depth], self.utf8, &mut parameters);
                (format!("WHERE {condition}"), order(&columns[depth - 1..]))
            }
            (KeyKind::Primary(columns), _) => (String::new(), order(columns)),
            (KeyKind::Ordinal, Key::Ordinal(rows)) if !one_row => {
                (String::new(), format!("LIMIT -1 OFFSET {rows}"))
            }
            (KeyKind::Ordinal, Key::Ordinal(rows)) => {
                (String::new(), format!("LIMIT 1 OFFSET {rows}"))
            }
            (KeyKind::Ordinal, _) => (String::new(), String::new()),
        };
        let limit = if one_row && !order.contains("LIMIT") { "LIMIT 1" } else { "" };
        // Only the table's own order is that of its positions.
        let only_table = if matches!(self.key, KeyKind::Ordinal) { "NOT INDEXED" } else { "" };
        let cells = self.cells(read, max_bytes);
        let sql =
            format!("SELECT {cells} FROM {} {only_table} {condition} {order} {limit}", self.table);
        (sql, parameters)
    }

    /// The query for one column of the row with this key.
    pub(super) fn one_cell<'k>(
        &self,
        key: &'k Key,
        column: &str,
    ) -> (String, Vec<ToSqlOutput<'k>>) {
        let mut parameters = Vec::new();
        let place = match (&self.key, key) {
            (KeyKind::Rowid(name), Key::Rowid(rowid)) => {
                parameters.push((*rowid).into());
                format!("WHERE {name} = ?1")
            }
            (KeyKind::Primary(columns), Key::Primary(cells)) => {
                let terms: Vec<String> = columns
                    .iter()
                    .zip(cells)
                    .map(|(column, cell)| equals(column, cell, self.utf8, &mut parameters))
                    .collect();
                format!("WHERE {}", terms.join(" AND "))
            }
            (_, Key::Ordinal(rows)) => {
                format!("NOT INDEXED LIMIT 1 OFFSET {}", rows.saturating_sub(1))
            }
            _ => "WHERE 0".to_owned(),
        };
        (format!("SELECT CAST({} AS BLOB) FROM {} {place}", quoted(column), self.table), parameters)
    }

    /// The result columns: the key, then the cells.
    fn cells(&self, read: Read, max_bytes: u32) -> String {
        let keys = match &self.key {
            KeyKind::Rowid(name) => vec![name.clone()],
            KeyKind::Primary(columns) => columns
                .iter()
                .map(|column| match read {
                    Read::Plain => column.name.clone(),
                    Read::Guarded => {
                        format!("typeof({0}),{1}", column.name, as_stored(&column.name))
                    }
                })
                .collect(),
            KeyKind::Ordinal => Vec::new(),
        };
        let cells = self.columns.iter().map(|column| {
            let name = quoted(column);
            match read {
                Read::Plain => name,
                Read::Guarded => format!(
                    "typeof({name}),octet_length({name}),\
                     CASE WHEN octet_length({name})<={max_bytes} THEN {} END",
                    as_stored(&name)
                ),
            }
        });
        keys.into_iter().chain(cells).collect::<Vec<_>>().join(",")
    }
}

/// A value, with text as a blob of the bytes that are stored.
fn as_stored(name: &str) -> String {
    format!("CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END")
}

/// Equal in all but the last column, and further in that.
fn condition<'k>(
    columns: &[KeyColumn],
    cells: &'k [KeyCell],
    utf8: bool,
    parameters: &mut Vec<ToSqlOutput<'k>>,
) -> String {
    let Some((last, same)) = cells.split_last() else { return "1".to_owned() };
    let mut terms: Vec<String> = columns
        .iter()
        .zip(same)
        .map(|(column, cell)| equals(column, cell, utf8, parameters))
        .collect();
    let column = &columns[same.len()];
    let further = if column.descending { "<" } else { ">" };
    terms.push(compared(column, further, last, utf8, parameters));
    terms.join(" AND ")
}

fn equals<'k>(
    column: &KeyColumn,
    cell: &'k KeyCell,
    utf8: bool,
    parameters: &mut Vec<ToSqlOutput<'k>>,
) -> String {
    compared(column, "=", cell, utf8, parameters)
}

fn compared<'k>(
    column: &KeyColumn,
    operator: &str,
    cell: &'k KeyCell,
    utf8: bool,
    parameters: &mut Vec<ToSqlOutput<'k>>,
) -> String {
    let (text, value) = cell.parameter(parameters.len() + 1, utf8);
    parameters.push(value);
    format!("{} COLLATE {} {operator} {text}", column.name, column.collation)
}

fn order(columns: &[KeyColumn]) -> String {
    let terms: Vec<String> = columns
        .iter()
        .map(|column| {
            let direction = if column.descending { "DESC" } else { "ASC" };
            format!("{} COLLATE {} {direction}", column.name, column.collation)
        })
        .collect();
    format!("ORDER BY {}", terms.join(","))
}

/// The columns of a WITHOUT ROWID table's primary key, out of the index that is the table.
fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<KeyColumn>> {
    let mut statement = connection.prepare_cached(
        "SELECT x.name, x.\"desc\", x.coll \
         FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x \
         WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
    )?;
    let columns = statement.query_map([table], |row| {
        Ok(KeyColumn {
            name: quoted(&row.get::<_, String>(0)?),
            descending: row.get(1)?,
            collation: quoted(&row.get::<_, String>(2)?),
        })
    })?;
    columns.collect()
}

/// A name in double quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
