//! The queries behind a scan: a table's rows by key, from a position on. Never by `OFFSET`, which is
//! quadratic, but where no name reaches the rowid.

use std::ffi::CString;

use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result};

use crate::catalog::Catalog;
use crate::error::shown;
use crate::key::{Key, KeyCell};
use crate::statement::Statement;
use partway_wasmtime::rows::{ColumnKind, Encoding, Error as RowsError};

/// What a scan reads: a table, its columns, and the key that orders it.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The table's name, quoted.
    table: Vec<u8>,
    /// For messages.
    pub(crate) shown: String,
    /// The table's name as it is.
    pub(crate) name: CString,
    /// The columns asked for, as they are.
    pub(crate) columns: Vec<CString>,
    pub(crate) key: KeyKind,
    /// What is read, quoted and each once: the key, then those of the columns that are not part of it.
    read: Vec<Vec<u8>>,
    /// Where in `read` each of the columns asked for is.
    places: Vec<usize>,
    utf8: bool,
}

/// What orders a table.
#[derive(Debug, Clone)]
pub(crate) enum KeyKind {
    /// The rowid, under a name that reaches it (quoted).
    Rowid(Vec<u8>),
    /// The primary key of a WITHOUT ROWID table.
    Primary(Vec<KeyColumn>),
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

/// How cells are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Read {
    /// As they are.
    Plain,
    /// One row, in which a long value stays where it is: each cell outside the key is two results, the value
    /// or, of a long one, whether it is text; and the length of a long one.
    Guarded,
}

impl Scan {
    /// Resolves names against the schema.
    pub(crate) fn new(
        catalog: &Catalog,
        name: &[u8],
        columns: &[Vec<u8>],
    ) -> std::result::Result<Self, RowsError> {
        let shown = shown(name);
        let (table, key) = catalog.table(name)?;
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
        let mut read = key.names();
        let mut place = |column: Vec<u8>| match read.iter().position(|known| *known == column) {
            Some(place) => place,
            None => {
                read.push(column);
                read.len() - 1
            }
        };
        let places = columns.iter().map(|column| place(quoted(column))).collect();
        // SQLite knows no name with a NUL in it.
        let unknown = |_| RowsError::UnknownTable(format!("there is no {shown}"));
        let c_string = |name: &[u8]| CString::new(name).map_err(unknown);
        Ok(Self {
            table: quoted(name),
            name: c_string(name)?,
            columns: columns
                .iter()
                .map(|column| c_string(column))
                .collect::<std::result::Result<_, _>>()?,
            key: key.clone(),
            read,
            places,
            utf8: catalog.schema.encoding == Encoding::Utf8,
            shown,
        })
    }

    /// Whether it reads what another scan does.
    pub(crate) fn reads_same(&self, other: &Self) -> bool {
        self.name == other.name && self.columns == other.columns
    }

    /// The place that a position means.
    pub(crate) fn key(&self, position: &[u8]) -> std::result::Result<Key, RowsError> {
        let key = Key::decode(position).filter(|key| match (key, &self.key) {
            (Key::Start, _)
            | (Key::Rowid(_), KeyKind::Rowid(_))
            | (Key::Ordinal(_), KeyKind::Ordinal) => true,
            (Key::Primary(cells), KeyKind::Primary(columns)) => cells.len() == columns.len(),
            _ => false,
        });
        key.ok_or_else(|| RowsError::InvalidPosition(format!("no such position in {}", self.shown)))
    }

    /// How many ranges make up what lies behind a key.
    ///
    /// Behind the key (a, b, c) lie first the rows with the same a and b and a further c, then those with
    /// the same a and a further b, then those with a further a. Each is one range of the index,
    /// whatever the directions and collations; a comparison of row values is one for
    /// ascending keys only.
    pub(crate) fn ranges(&self, key: &Key) -> usize {
        match key {
            Key::Primary(cells) => cells.len(),
            _ => 1,
        }
    }

    /// Begins to read a range behind a key.
    pub(crate) fn rows<'c>(
        &self,
        connection: &'c Connection,
        key: &Key,
        range: usize,
        read: Read,
        max_bytes: u32,
    ) -> Result<ScanRows<'c>> {
        let mut parameters = Vec::new();
        let one = if read == Read::Guarded { 1 } else { -1 };
        let mut limit = format!(" LIMIT {one}");
        let place = match (&self.key, key) {
            (KeyKind::Rowid(name), Key::Rowid(rowid)) => {
                parameters.push(ValueRef::Integer(*rowid));
                [b"WHERE ", &name[..], b" > ?1 ORDER BY ", name].concat()
            }
            (KeyKind::Rowid(name), _) => [b"ORDER BY ", &name[..]].concat(),
            (KeyKind::Primary(columns), Key::Primary(cells)) => {
                let depth = cells.len() - range;
                let condition = condition(columns, &cells[..depth], self.utf8, &mut parameters);
                [b"WHERE ", &condition[..], b" ", &order(&columns[depth - 1..])].concat()
            }
            (KeyKind::Primary(columns), _) => order(columns),
            // Only the table's own order is that of its positions.
            (KeyKind::Ordinal, Key::Ordinal(rows)) => {
                limit = format!("{limit} OFFSET {rows}");
                b"NOT INDEXED".to_vec()
            }
            (KeyKind::Ordinal, _) => b"NOT INDEXED".to_vec(),
        };

        let results = self.results(read, max_bytes);
        let width = usize::try_from(connection.limit(Limit::SQLITE_LIMIT_COLUMN)?).unwrap_or(1);
        let mut statements = results.chunks(width.max(1)).map(|results| {
            let sql = [
                b"SELECT ",
                &results.join(&b',')[..],
                b" FROM ",
                &self.table,
                b" ",
                &place,
                limit.as_bytes(),
            ]
            .concat();
            Statement::prepare(connection, &sql, &parameters)
        });
        let first = match statements.next() {
            Some(first) => first?,
            None => Statement::prepare(connection, b"SELECT 0 WHERE 0", &[])?,
        };
        let more: Vec<_> = statements.collect::<Result<_>>()?;
        let plain = (read == Read::Plain && more.is_empty()).then(|| self.places.clone());
        Ok(ScanRows { first, more, width, places: self.places(read), plain })
    }

    /// Where a row has the cells of the columns asked for.
    fn places(&self, read: Read) -> Vec<Place> {
        let key = self.key.width();
        let place = |place: &usize| match read {
            Read::Guarded if *place >= key => Place::Guarded(key + 2 * (place - key)),
            _ => Place::Plain(*place),
        };
        self.places.iter().map(place).collect()
    }

    /// Reads one cell of the row with this key; its statement stands at it. None: there is no such row.
    pub(crate) fn one_cell<'c>(
        &self,
        connection: &'c Connection,
        key: &Key,
        column: usize,
    ) -> Result<Option<Statement<'c>>> {
        let mut parameters = Vec::new();
        let place = match (&self.key, key) {
            (KeyKind::Rowid(name), Key::Rowid(rowid)) => {
                parameters.push(ValueRef::Integer(*rowid));
                [b"WHERE ", &name[..], b" = ?1"].concat()
            }
            (KeyKind::Primary(columns), Key::Primary(cells)) => {
                let terms: Vec<_> = columns
                    .iter()
                    .zip(cells)
                    .map(|(column, cell)| compared(column, "=", cell, self.utf8, &mut parameters))
                    .collect();
                [b"WHERE ", &terms.join(&b" AND "[..])[..]].concat()
            }
            (_, Key::Ordinal(rows)) => {
                format!("NOT INDEXED LIMIT 1 OFFSET {}", rows.saturating_sub(1)).into_bytes()
            }
            _ => b"WHERE 0".to_vec(),
        };
        let name = &self.read[self.places[column]];
        let sql = [b"SELECT ", &name[..], b" FROM ", &self.table, b" ", &place].concat();
        let mut statement = Statement::prepare(connection, &sql, &parameters)?;
        Ok(statement.step()?.then_some(statement))
    }

    fn results(&self, read: Read, max_bytes: u32) -> Vec<Vec<u8>> {
        let (key, others) = self.read.split_at(self.key.width());
        match read {
            Read::Plain => self.read.clone(),
            Read::Guarded => key
                .iter()
                .cloned()
                .chain(others.iter().flat_map(|name| {
                    // Neither function loads its value.
                    let is_long =
                        [b"octet_length(", &name[..], format!(")>{max_bytes}").as_bytes()].concat();
                    let value = [
                        b"CASE WHEN ",
                        &is_long[..],
                        b" THEN typeof(",
                        name,
                        b")='text' ELSE ",
                        name,
                        b" END",
                    ];
                    let length =
                        [b"CASE WHEN ", &is_long[..], b" THEN octet_length(", name, b") END"];
                    [value.concat(), length.concat()]
                }))
                .collect(),
        }
    }
}

impl KeyKind {
    /// Result columns that it takes.
    fn width(&self) -> usize {
        match self {
            Self::Rowid(_) => 1,
            Self::Primary(columns) => columns.len(),
            Self::Ordinal => 0,
        }
    }

    fn names(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Rowid(name) => vec![name.clone()],
            Self::Primary(columns) => columns.iter().map(|column| column.name.clone()).collect(),
            Self::Ordinal => Vec::new(),
        }
    }
}

/// Where in a row a cell is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// The cell itself.
    Plain(usize),
    /// The cell or, behind which the length stands if it is long, whether it is text.
    Guarded(usize),
}

/// Rows as they come. Those of more columns than a result may have come from several statements side by
/// side: in one transaction, in the same order, they give the same rows.
pub(crate) struct ScanRows<'c> {
    first: Statement<'c>,
    more: Vec<Statement<'c>>,
    width: usize,
    places: Vec<Place>,
    /// The places, where all cells come as they are from one statement: so it is but for very wide tables and long
    /// values.
    plain: Option<Vec<usize>>,
}

impl ScanRows<'_> {
    /// Where the cells of the columns asked for are, in order.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The statement and the places in it, where there is nothing else to look after.
    #[inline]
    pub(crate) fn plain(&self) -> Option<(&Statement<'_>, &[usize])> {
        self.plain.as_deref().map(|places| (&self.first, places))
    }

    /// Goes to the next row; false: there is none.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<bool> {
        let is_row = self.first.step()?;
        for statement in &mut self.more {
            statement.step()?;
        }
        Ok(is_row)
    }

    #[inline]
    pub(crate) fn cell(&self, index: usize) -> ValueRef<'_> {
        if index < self.width {
            return self.first.cell(index);
        }
        match self.more.get(index / self.width - 1) {
            Some(statement) => statement.cell(index % self.width),
            None => ValueRef::Null,
        }
    }
}

/// Equal in all but the last column, and further in that.
fn condition<'k>(
    columns: &[KeyColumn],
    cells: &'k [KeyCell],
    utf8: bool,
    parameters: &mut Vec<ValueRef<'k>>,
) -> Vec<u8> {
    let Some((last, same)) = cells.split_last() else { return b"1".to_vec() };
    let mut terms: Vec<_> = columns
        .iter()
        .zip(same)
        .map(|(column, cell)| compared(column, "=", cell, utf8, parameters))
        .collect();
    let column = &columns[same.len()];
    let further = if column.descending { "<" } else { ">" };
    terms.push(compared(column, further, last, utf8, parameters));
    terms.join(&b" AND "[..])
}

fn compared<'k>(
    column: &KeyColumn,
    operator: &str,
    cell: &'k KeyCell,
    utf8: bool,
    parameters: &mut Vec<ValueRef<'k>>,
) -> Vec<u8> {
    let (text, value) = cell.parameter(parameters.len() + 1, utf8);
    parameters.push(value);
    let comparison = format!(" {operator} {text}");
    [&column.name[..], b" COLLATE ", &column.collation, comparison.as_bytes()].concat()
}

fn order(columns: &[KeyColumn]) -> Vec<u8> {
    let terms: Vec<_> = columns
        .iter()
        .map(|column| {
            let direction: &[u8] = if column.descending { b" DESC" } else { b" ASC" };
            [&column.name[..], b" COLLATE ", &column.collation, direction].concat()
        })
        .collect();
    [b"ORDER BY ", &terms.join(&b',')[..]].concat()
}

/// The columns of a WITHOUT ROWID table's primary key, out of the index that is the table.
pub(crate) fn primary_key(connection: &Connection, table: &[u8]) -> Result<Vec<KeyColumn>> {
    let mut statement = connection.prepare_cached(
        "SELECT x.name, x.\"desc\", x.coll \
         FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x \
         WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
    )?;
    let columns = statement.query_map([as_text(table)], |row| {
        Ok(KeyColumn {
            name: quoted(row.get_ref(0)?.as_bytes()?),
            descending: row.get(1)?,
            collation: quoted(row.get_ref(2)?.as_bytes()?),
        })
    })?;
    columns.collect()
}

/// A name as a parameter: text, whatever its bytes.
pub(crate) fn as_text(name: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(name))
}

/// A name in double quotes.
pub(crate) fn quoted(name: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in name {
        text.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
    }
    text.push(b'"');
    text
}
