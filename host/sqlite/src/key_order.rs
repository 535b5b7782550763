//! What orders a table, and the SQL that selects the rows after a position in that order.

use rusqlite::Result;
use rusqlite::types::ValueRef;

use crate::database::Database;
use crate::identifier::{as_parameter, quoted};
use crate::position::{KeyValue, Position};

/// SQLite 3.40 takes a blob that is a parameter for UTF-8 when it casts it, and this version does not. Those between them
/// were not looked at.
const BLOBS_CAST_SINCE: i32 = 3_051_000;

/// What orders a table.
#[derive(Debug, Clone)]
pub(crate) enum KeyOrder {
    /// The rowid, under a name that reaches it (quoted).
    Rowid(Vec<u8>),
    /// The primary key of a WITHOUT ROWID table.
    PrimaryKey(Vec<KeyColumn>),
    /// Nothing that a query could name: three columns are called rowid, _rowid_ and oid.
    Ordinal,
}

/// A column of a primary key, in the key's own direction and collation.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    /// Quoted.
    name: Vec<u8>,
    descending: bool,
    /// Quoted.
    collation: Vec<u8>,
}

/// What follows `FROM table` in a query, and the values of its parameters.
pub(crate) struct Clauses<'p> {
    pub(crate) sql: Vec<u8>,
    pub(crate) parameters: Vec<ValueRef<'p>>,
}

impl KeyOrder {
    /// How many result columns the key takes.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Rowid(_) => 1,
            Self::PrimaryKey(columns) => columns.len(),
            Self::Ordinal => 0,
        }
    }

    /// The key's columns, quoted.
    pub(crate) fn names(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Rowid(name) => vec![name.clone()],
            Self::PrimaryKey(columns) => columns.iter().map(|column| column.name.clone()).collect(),
            Self::Ordinal => Vec::new(),
        }
    }

    /// Whether a position can be one of a table in this order.
    pub(crate) fn admits(&self, position: &Position) -> bool {
        match (position, self) {
            (Position::Start, _)
            | (Position::Rowid(_) | Position::RowidFrom(_), Self::Rowid(_))
            | (Position::Ordinal(_), Self::Ordinal) => true,
            (Position::PrimaryKey(values), Self::PrimaryKey(columns)) => {
                values.len() == columns.len()
            }
            _ => false,
        }
    }

    /// Selects one of the [`ranges`] after a position, in the key's order. `limit`: at most so many rows.
    /// `utf8`: whether the database's text is UTF-8. `filter`: the condition that rows have to meet, in parentheses.
    pub(crate) fn after<'p>(
        &self,
        position: &'p Position,
        range: usize,
        limit: Option<u32>,
        utf8: bool,
        filter: Option<&[u8]>,
    ) -> Clauses<'p> {
        let mut parameters = Vec::new();
        let mut rowid_after = |name: &[u8], operator: &str, rowid: i64| {
            parameters.push(ValueRef::Integer(rowid));
            [name, operator.as_bytes()].concat()
        };
        let (condition, order) = match (self, position) {
            (Self::Rowid(name), Position::Rowid(rowid)) => {
                (Some(rowid_after(name, " > ?1", *rowid)), order_by_rowid(name))
            }
            (Self::Rowid(name), Position::RowidFrom(rowid)) => {
                (Some(rowid_after(name, " >= ?1", *rowid)), order_by_rowid(name))
            }
            (Self::Rowid(name), _) => (None, order_by_rowid(name)),
            (Self::PrimaryKey(columns), Position::PrimaryKey(values)) => {
                let depth = values.len() - range;
                let condition = in_range(columns, &values[..depth], utf8, &mut parameters);
                (Some(condition), order_by(&columns[depth - 1..]))
            }
            (Self::PrimaryKey(columns), _) => (None, order_by(columns)),
            (Self::Ordinal, _) => (None, Vec::new()),
        };
        let mut sql = self.hint(filter.is_some());
        append_conditions(&mut sql, condition.as_deref(), filter);
        sql.extend_from_slice(&order);
        // An offset needs a limit before it.
        let limit = limit.map_or(-1, i64::from);
        sql.extend_from_slice(format!(" LIMIT {limit}").as_bytes());
        if let (Self::Ordinal, Position::Ordinal(rows)) = (self, position) {
            sql.extend_from_slice(format!(" OFFSET {rows}").as_bytes());
        }
        Clauses { sql, parameters }
    }

    /// What keeps SQLite from another order than that of the positions: where no ORDER BY can, and where it would find rows by
    /// an index and sort them, all of them for each slice.
    fn hint(&self, is_filtered: bool) -> Vec<u8> {
        let is_needed = match self {
            Self::Ordinal => true,
            Self::Rowid(_) => is_filtered,
            Self::PrimaryKey(_) => false,
        };
        if is_needed { b"NOT INDEXED ".to_vec() } else { Vec::new() }
    }

    /// Selects the one row that a position comes right after; no row for the start. `filter` is that of the scan.
    pub(crate) fn row_at<'p>(
        &self,
        position: &'p Position,
        utf8: bool,
        filter: Option<&[u8]>,
    ) -> Clauses<'p> {
        let mut parameters = Vec::new();
        let sql = match (self, position) {
            (Self::Rowid(name), Position::Rowid(rowid)) => {
                parameters.push(ValueRef::Integer(*rowid));
                [b"WHERE ", &name[..], b" = ?1"].concat()
            }
            (Self::PrimaryKey(columns), Position::PrimaryKey(values)) => {
                let terms: Vec<_> = columns
                    .iter()
                    .zip(values)
                    .map(|(column, value)| comparison(column, "=", value, utf8, &mut parameters))
                    .collect();
                [b"WHERE ", &terms.join(&b" AND "[..])[..]].concat()
            }
            (_, Position::Ordinal(rows)) => {
                // Only those rows were counted that meet the condition.
                let mut sql = self.hint(filter.is_some());
                append_conditions(&mut sql, None, filter);
                let rest = format!("LIMIT 1 OFFSET {}", rows.saturating_sub(1));
                sql.extend_from_slice(rest.as_bytes());
                sql
            }
            _ => b"WHERE 0".to_vec(),
        };
        Clauses { sql, parameters }
    }
}

/// How many ranges make up the rows after a position.
///
/// After the key (a, b, c) come first the rows with the same a and b and a further c, then those with the
/// same a and a further b, then those with a further a. Each is one range of the index, whatever the
/// directions and collations; a comparison of row values is one for ascending keys only.
pub(crate) fn ranges(position: &Position) -> usize {
    match position {
        Position::PrimaryKey(values) => values.len(),
        _ => 1,
    }
}

/// Reads the columns of a WITHOUT ROWID table's primary key from the index that is the table.
pub(crate) fn read_primary_key(database: &Database, table: &[u8]) -> Result<Vec<KeyColumn>> {
    let mut statement = database.prepare_cached(
        "SELECT x.name, x.\"desc\", x.coll \
         FROM pragma_index_list(?1, ?2) AS i, pragma_index_xinfo(i.name, ?2) AS x \
         WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
    )?;
    let parameters = [as_parameter(table), as_parameter(database.schema_text())];
    let columns = statement.query_map(parameters, |row| {
        Ok(KeyColumn {
            name: quoted(row.get_ref(0)?.as_bytes()?),
            descending: row.get(1)?,
            collation: quoted(row.get_ref(2)?.as_bytes()?),
        })
    })?;
    columns.collect()
}

/// The condition of one range: equal in all but the last value, and further in that.
fn in_range<'p>(
    columns: &[KeyColumn],
    values: &'p [KeyValue],
    utf8: bool,
    parameters: &mut Vec<ValueRef<'p>>,
) -> Vec<u8> {
    let Some((last, equal)) = values.split_last() else { return b"1".to_vec() };
    let mut terms: Vec<_> = columns
        .iter()
        .zip(equal)
        .map(|(column, value)| comparison(column, "=", value, utf8, parameters))
        .collect();
    let column = &columns[equal.len()];
    let further = if column.descending { "<" } else { ">" };
    terms.push(comparison(column, further, last, utf8, parameters));
    terms.join(&b" AND "[..])
}

fn comparison<'p>(
    column: &KeyColumn,
    operator: &str,
    value: &'p KeyValue,
    utf8: bool,
    parameters: &mut Vec<ValueRef<'p>>,
) -> Vec<u8> {
    let (sql, parameter) = parameter(value, parameters.len() + 1, utf8);
    parameters.push(parameter);
    let comparison = format!(" {operator} {sql}");
    [&column.name[..], b" COLLATE ", &column.collation, comparison.as_bytes()].concat()
}

/// The SQL of parameter number `index` for a value, and what is bound to it. UTF-16 is bound as a blob and
/// cast, which leaves its bytes alone. The plus takes the cast's affinity away, which would change how
/// numbers compare.
fn parameter(value: &KeyValue, index: usize, utf8: bool) -> (String, ValueRef<'_>) {
    match value.value_ref() {
        ValueRef::Text(bytes) if !utf8 => {
            let sql = match rusqlite::version_number() >= BLOBS_CAST_SINCE {
                true => format!("+CAST(?{index} AS TEXT)"),
                // Read from a temporary table, which UNION makes, it is in the database's encoding.
                false => format!("+CAST((SELECT ?{index} UNION SELECT ?{index}) AS TEXT)"),
            };
            (sql, ValueRef::Blob(bytes))
        }
        value => (format!("?{index}"), value),
    }
}

/// Appends a WHERE of the conditions that there are.
fn append_conditions(sql: &mut Vec<u8>, condition: Option<&[u8]>, filter: Option<&[u8]>) {
    for (number, condition) in condition.into_iter().chain(filter).enumerate() {
        sql.extend_from_slice(if number == 0 { b"WHERE " } else { b"AND " });
        sql.extend_from_slice(condition);
        sql.push(b' ');
    }
}

fn order_by_rowid(name: &[u8]) -> Vec<u8> {
    [b"ORDER BY ", name].concat()
}

fn order_by(columns: &[KeyColumn]) -> Vec<u8> {
    let terms: Vec<_> = columns
        .iter()
        .map(|column| {
            let direction: &[u8] = if column.descending { b" DESC" } else { b" ASC" };
            [&column.name[..], b" COLLATE ", &column.collation, direction].concat()
        })
        .collect();
    [b"ORDER BY ", &terms.join(&b',')[..]].concat()
}
