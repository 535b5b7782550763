//! A table's stored columns, what identifies its rows, and the queries that read them.

use std::fmt;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::name::Name;
use super::value::TextEncoding;

/// Columns that one query reads at most: SQLite returns at most 2,000 values per row, a cell may take two of
/// them, and the rowid takes one.
const COLUMNS_PER_QUERY: usize = 900;

/// A table, as far as reading its rows needs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: Name,
    /// The stored columns. A virtual generated column is computed from others, perhaps by functions that are
    /// not registered here.
    pub(crate) columns: Vec<Name>,
    pub(crate) key: RowKey,
}

/// What identifies a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowKey {
    /// The rowid.
    Rowid {
        /// A name that reaches it.
        name: &'static str,
        /// It is an INTEGER PRIMARY KEY, and so among the columns as well.
        is_column: bool,
    },
    /// The primary key of a WITHOUT ROWID table: indexes into `columns`.
    PrimaryKey(Vec<usize>),
    /// Nothing but its cells.
    None,
}

/// Names of the rowid, where no column has them.
const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

impl Table {
    pub(crate) fn describe(connection: &Connection, name: &Name) -> rusqlite::Result<Self> {
        let parameter = ToSqlOutput::Borrowed(ValueRef::Text(name.as_bytes()));
        let without_rowid: bool = connection.query_row(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
            [&parameter],
            |row| row.get(0),
        )?;
        // An INTEGER PRIMARY KEY is the rowid, unless (after DESC) it has an index of its own.
        let is_column = || {
            connection.query_row(
                "SELECT (SELECT count(*) FROM pragma_table_xinfo(?1) WHERE pk > 0) = 1 \
                     AND EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE pk > 0 AND upper(type) = 'INTEGER') \
                     AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
                [&parameter],
                |row| row.get(0),
            )
        };
        let mut statement =
            connection.prepare("SELECT name, pk, hidden FROM pragma_table_xinfo(?1)")?;
        let all: Vec<(Name, i64, i64)> = statement
            .query_map([&parameter], |row| {
                Ok((row.get_ref(0)?.as_bytes()?.into(), row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let has = |column: &str| {
            all.iter().any(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(column.as_bytes()))
        };
        let rowid = ROWID_NAMES.into_iter().find(|rowid| !has(rowid));

        let stored: Vec<_> = all.iter().filter(|(_, _, hidden)| matches!(hidden, 0 | 3)).collect();
        // SQLite refills its own tables, with other rowids, which nobody sees.
        let key = match rowid {
            _ if name.is_internal() => RowKey::None,
            _ if without_rowid => {
                let mut key: Vec<_> =
                    stored.iter().enumerate().filter(|(_, (_, place, _))| *place > 0).collect();
                key.sort_by_key(|(_, (_, place, _))| *place);
                RowKey::PrimaryKey(key.into_iter().map(|(index, _)| index).collect())
            }
            Some(name) => RowKey::Rowid { name, is_column: is_column()? },
            None => RowKey::None,
        };
        let columns = stored.into_iter().map(|(name, ..)| name.clone()).collect();
        Ok(Self { name: name.clone(), columns, key })
    }

    /// Queries that together return every stored cell, in the order of the rowid or the key. Where there is a
    /// rowid, it is the first column of each.
    pub(crate) fn queries(&self, encoding: TextEncoding) -> Vec<Vec<u8>> {
        let (rowid, order) = match self.key {
            RowKey::Rowid { name: rowid, .. } => {
                (format!("{rowid}, "), format!(" ORDER BY {rowid}"))
            }
            // A WITHOUT ROWID table is the B-tree of its key, so a scan returns rows in key order. An ORDER
            // BY could only spoil that: the key's own collations can't be named in it.
            RowKey::PrimaryKey(_) | RowKey::None => (String::new(), String::new()),
        };
        let groups = self.columns.chunks(COLUMNS_PER_QUERY).map(|columns| {
            let cells: Vec<Vec<u8>> =
                columns.iter().map(|column| encoding.expression(&column.quoted())).collect();
            let (cells, table) = (cells.join(&b", "[..]), self.name.quoted());
            let (rowid, order) = (rowid.as_bytes(), order.as_bytes());
            [b"SELECT ", rowid, &cells, b" FROM ", &table, b" NOT INDEXED", order].concat()
        });
        groups.collect()
    }

    /// Whether a name that rows are inserted by is one of the rowid, and not of a column.
    pub(crate) fn is_rowid(&self, name: &[u8]) -> bool {
        let is_column = |column: &Name| column.as_bytes().eq_ignore_ascii_case(name);
        ROWID_NAMES.iter().any(|rowid| name.eq_ignore_ascii_case(rowid.as_bytes()))
            && !self.columns.iter().any(is_column)
    }

    /// The index of the query that reads a column, and the index of the column within that query.
    pub(crate) fn place(column: usize) -> (usize, usize) {
        (column / COLUMNS_PER_QUERY, column % COLUMNS_PER_QUERY)
    }

    /// A query that finds the row with a given key. Each key column takes two parameters: whether the value
    /// is text, and the value, which is a blob if it is text.
    pub(crate) fn key_query(&self, key: &[usize]) -> Vec<u8> {
        let terms = key.iter().enumerate().map(|(index, column)| {
            let (text, value) = (2 * index + 1, 2 * index + 2);
            // A CASE has no affinity, so it imposes none on the column.
            let term =
                format!(" IS CASE ?{text} WHEN 1 THEN CAST(?{value} AS TEXT) ELSE ?{value} END");
            [self.columns[*column].quoted(), term.into_bytes()].concat()
        });
        let terms: Vec<Vec<u8>> = terms.collect();
        [&b"SELECT 1 FROM "[..], &self.name.quoted(), b" WHERE ", &terms.join(&b" AND "[..])]
            .concat()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<String> = self.columns.iter().map(Name::to_string).collect();
        write!(f, "({})", columns.join(", "))?;
        match &self.key {
            RowKey::Rowid { .. } | RowKey::None => Ok(()),
            RowKey::PrimaryKey(key) => {
                let key: Vec<&str> = key.iter().map(|index| columns[*index].as_str()).collect();
                write!(f, " by the key ({})", key.join(", "))
            }
        }
    }
}
