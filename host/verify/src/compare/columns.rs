//! What a table's rows look like: its stored columns, and what tells one row from another.

use std::fmt;

use rusqlite::Connection;

use super::value::Form;

/// Columns that one statement reads at most: SQLite gives 2,000 values a row, and a cell may take two, beside
/// the rowid.
const COLUMNS: usize = 900;

/// A table, as far as its rows go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Those that are stored. A virtual generated column follows from the others, and perhaps from functions
    /// that are not here.
    pub(crate) columns: Vec<String>,
    pub(crate) identity: Identity,
}

/// What tells one row from another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The rowid, by this name.
    Rowid(&'static str),
    /// The primary key of a table WITHOUT ROWID: places in `columns`.
    Key(Vec<usize>),
    /// Nothing but the cells.
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
        // SQLite fills its own tables anew, and nobody sees their rowids.
        let own = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        let identity = match rowid {
            _ if own => Identity::None,
            _ if without_rowid => {
                let mut key: Vec<_> =
                    stored.iter().enumerate().filter(|(_, (_, place, _))| *place > 0).collect();
                key.sort_by_key(|(_, (_, place, _))| *place);
                Identity::Key(key.into_iter().map(|(index, _)| index).collect())
            }
            Some(rowid) => Identity::Rowid(rowid),
            None => Identity::None,
        };
        let columns = stored.into_iter().map(|(name, ..)| name.clone()).collect();
        Ok(Self { name: name.to_owned(), columns, identity })
    }

    /// Queries that together give every stored cell, in the order of the rowid or the key, a rowid first
    /// in each.
    pub(crate) fn queries(&self, form: Form) -> Vec<String> {
        let (rowid, order) = match self.identity {
            Identity::Rowid(rowid) => (format!("{rowid}, "), format!(" ORDER BY {rowid}")),
            // Such a table is the tree of its key: reading it comes in its order, which an ORDER BY could only
            // spoil, since the key's own collations can't be asked for.
            Identity::Key(_) | Identity::None => (String::new(), String::new()),
        };
        let from = format!("FROM {} NOT INDEXED{order}", quoted(&self.name));
        let groups = self.columns.chunks(COLUMNS).map(|columns| {
            let cells: Vec<String> =
                columns.iter().map(|column| form.expression(&quoted(column))).collect();
            format!("SELECT {rowid}{} {from}", cells.join(", "))
        });
        groups.collect()
    }

    /// Where the query of a column, and the column among those of the query, are.
    pub(crate) fn place(column: usize) -> (usize, usize) {
        (column / COLUMNS, column % COLUMNS)
    }

    /// A query for whether there is a row with the key of the parameters: pairs of whether it is text, and
    /// its value, as bytes if so.
    pub(crate) fn key_query(&self, key: &[usize]) -> String {
        let terms = key.iter().enumerate().map(|(index, column)| {
            let (text, value) = (2 * index + 1, 2 * index + 2);
            // A CASE has no affinity, so none is lent to the column's side.
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
        match &self.identity {
            Identity::Rowid(_) | Identity::None => Ok(()),
            Identity::Key(key) => {
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
