//! A table's stored columns, what identifies its rows, and the queries that read them.

use std::fmt;

use rusqlite::Connection;

use super::value::TextEncoding;

/// Columns that one query reads at most: SQLite returns at most 2,000 values per row, a cell may take two of
/// them, and the rowid takes one.
const COLUMNS_PER_QUERY: usize = 900;

/// A table, as far as reading its rows needs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// The stored columns. A virtual generated column is computed from others, perhaps by functions that are
    /// not registered here.
    pub(crate) columns: Vec<String>,
    pub(crate) key: RowKey,
}

/// What identifies a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowKey {
    /// The rowid, by this name.
    Rowid(&'static str),
    /// The primary key of a WITHOUT ROWID table: indexes into `columns`.
    PrimaryKey(Vec<usize>),
    /// Nothing but its cells.
    None,
}

impl Table {
    pub(crate) fn describe(connection: &Connection, name: &str) -> rusqlite::Result<Self> {
        let without_rowid: bool = connection.query_row(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
            [name],
            |row| row.get(0),
        )?;
        let mut statement =
            connection.prepare("SELECT name, pk, hidden FROM pragma_table_xinfo(?1)")?;
        let all: Vec<(String, i64, i64)> = statement
            .query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let free = |rowid: &&str| !all.iter().any(|(name, ..)| name.eq_ignore_ascii_case(rowid));
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(free);

        let stored: Vec<_> = all.iter().filter(|(_, _, hidden)| matches!(hidden, 0 | 3)).collect();
        // SQLite refills its own tables, with other rowids, which nobody sees.
        let is_internal = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        let key = match rowid {
            _ if is_internal => RowKey::None,
            _ if without_rowid => {
                let mut key: Vec<_> =
                    stored.iter().enumerate().filter(|(_, (_, place, _))| *place > 0).collect();
                key.sort_by_key(|(_, (_, place, _))| *place);
                RowKey::PrimaryKey(key.into_iter().map(|(index, _)| index).collect())
            }
            Some(rowid) => RowKey::Rowid(rowid),
            None => RowKey::None,
        };
        let columns = stored.into_iter().map(|(name, ..)| name.clone()).collect();
        Ok(Self { name: name.to_owned(), columns, key })
    }

    /// Queries that together return every stored cell, in the order of the rowid or the key. Where there is a
    /// rowid, it is the first column of each.
    pub(crate) fn queries(&self, encoding: TextEncoding) -> Vec<String> {
        let (rowid, order) = match self.key {
            RowKey::Rowid(rowid) => (format!("{rowid}, "), format!(" ORDER BY {rowid}")),
            // A WITHOUT ROWID table is the B-tree of its key, so a scan returns rows in key order. An ORDER
            // BY could only spoil that: the key's own collations can't be named in it.
            RowKey::PrimaryKey(_) | RowKey::None => (String::new(), String::new()),
        };
        let from = format!("FROM {} NOT INDEXED{order}", quoted(&self.name));
        let groups = self.columns.chunks(COLUMNS_PER_QUERY).map(|columns| {
            let cells: Vec<String> =
                columns.iter().map(|column| encoding.expression(&quoted(column))).collect();
            format!("SELECT {rowid}{} {from}", cells.join(", "))
        });
        groups.collect()
    }

    /// The index of the query that reads a column, and the index of the column within that query.
    pub(crate) fn place(column: usize) -> (usize, usize) {
        (column / COLUMNS_PER_QUERY, column % COLUMNS_PER_QUERY)
    }

    /// A query that finds the row with a given key. Each key column takes two parameters: whether the value
    /// is text, and the value, which is a blob if it is text.
    pub(crate) fn key_query(&self, key: &[usize]) -> String {
        let terms = key.iter().enumerate().map(|(index, column)| {
            let (text, value) = (2 * index + 1, 2 * index + 2);
            // A CASE has no affinity, so it imposes none on the column.
            format!(
                "{} IS CASE ?{text} WHEN 1 THEN CAST(?{value} AS TEXT) ELSE ?{value} END",
                quoted(&self.columns[*column])
            )
        });
        let terms: Vec<String> = terms.collect();
        format!("SELECT 1 FROM {} WHERE {}", quoted(&self.name), terms.join(" AND "))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<String> = self.columns.iter().map(|name| format!("{name:?}")).collect();
        write!(f, "({})", columns.join(", "))?;
        match &self.key {
            RowKey::Rowid(_) | RowKey::None => Ok(()),
            RowKey::PrimaryKey(key) => {
                let key: Vec<&str> = key.iter().map(|index| columns[*index].as_str()).collect();
                write!(f, " by the key ({})", key.join(", "))
            }
        }
    }
}

/// A name in quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
