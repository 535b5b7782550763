//! A scan of one table: batches of rows, positions between them, and the bytes of long values.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::cell::{Cell, decode_position, encode_position, exact};
use crate::host::rows::{Batch, Error, TableFlags};
use crate::schema::find_table;

const MAX_CELLS: usize = 32_768;

/// A column of a key. Its names are in quotes.
struct KeyColumn {
    name: String,
    collation: String,
    descends: bool,
}

/// It keeps no statement: each batch is a query of its own, which begins behind the batch before.
pub struct Cursor {
    select: String,
    /// What orders the table; empty if it is a rowid that has no name.
    key: Vec<KeyColumn>,
    /// The position before the last batch, and its rows: the position after each, and its cells.
    before: Vec<Cell>,
    batch: Vec<(Vec<Cell>, Vec<Cell>)>,
}

impl Cursor {
    pub fn open(
        database: &Connection,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let name = valid(table)?;
        let Some(details) = find_table(database, name)? else {
            return Err(Error::UnknownTable(format!("there is no table {name:?}")));
        };
        if details.flags.contains(TableFlags::VIRTUAL) {
            let text = format!("table {name:?} is virtual: its data is in its shadow tables");
            return Err(Error::Unavailable(text));
        }
        let known = |name: &Vec<u8>| details.columns.iter().any(|column| column.name == *name);
        for column in columns {
            if details.rowid.as_ref() != Some(column) && !known(column) {
                let column = String::from_utf8_lossy(column);
                return Err(Error::UnknownColumn(format!(
                    "table {name:?} has no column {column:?}"
                )));
            }
        }
        let key = match &details.rowid {
            Some(rowid) => vec![KeyColumn {
                name: quoted(valid(rowid)?),
                collation: "BINARY".into(),
                descends: false,
            }],
            None if details.flags.contains(TableFlags::WITHOUT_ROWID) => {
                primary_key(database, name)?
            }
            None => Vec::new(),
        };
        let before = decode_position(after.unwrap_or_default())
            .filter(|position| position.is_empty() || position.len() == key.len().max(1))
            .ok_or_else(|| Error::InvalidPosition(format!("not a position in table {name:?}")))?;
        let mut cells: Vec<String> = key.iter().map(|column| exact(&column.name)).collect();
        for column in columns {
            cells.push(exact(&quoted(valid(column)?)));
        }
        let select = format!("SELECT {} FROM {}", cells.join(", "), quoted(name));
        Ok(Self { select, key, before, batch: Vec::new() })
    }

    pub fn next(&mut self, database: &Connection, max_bytes: usize) -> Result<Batch, Error> {
        if let Some((last, _)) = self.batch.pop() {
            self.before = last;
        }
        self.batch.clear();
        let mut batch = empty_batch();
        for (sql, values) in self.queries() {
            let mut statement = database.prepare(&sql)?;
            let width = statement.column_count() / 2;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let cells: rusqlite::Result<Vec<Cell>> =
                    (0..width).map(|index| Cell::of(row, index)).collect();
                let mut key = cells?;
                let cells = key.split_off(self.key.len());
                if !append(&mut batch, &cells, max_bytes) {
                    return Ok(batch);
                }
                if self.key.is_empty() {
                    key = vec![count(self.counted() + i64::from(batch.rows))];
                }
                self.batch.push((key, cells));
            }
        }
        Ok(batch)
    }

    pub fn position(&self, rows: usize) -> Result<Vec<u8>, Error> {
        let after = match rows.checked_sub(1) {
            None => Some(&self.before),
            Some(row) => self.batch.get(row).map(|(after, _)| after),
        };
        let missing = || Error::InvalidCell(format!("the last batch has no row {rows}"));
        Ok(encode_position(after.ok_or_else(missing)?))
    }

    pub fn long_cell(&self, row: usize, column: usize) -> Result<&[u8], Error> {
        let cell = self.batch.get(row).and_then(|(_, cells)| cells.get(column));
        cell.and_then(Cell::bytes).ok_or_else(|| {
            Error::InvalidCell(format!("cell {column} of row {row} of the last batch has no bytes"))
        })
    }

    /// What selects the rows after the position before, with the values of its parameters.
    ///
    /// Behind the key (a, b) are the rows with the same a and a further b, then those with a further a. Each is one
    /// range of the index, whatever the directions and collations.
    fn queries(&self) -> Vec<(String, Vec<Cell>)> {
        let Self { select, key, before, .. } = self;
        if key.is_empty() {
            // Columns have all three names of the rowid. Nothing else can be asked for, so rows are counted.
            return vec![(
                format!("{select} NOT INDEXED LIMIT -1 OFFSET {}", self.counted()),
                Vec::new(),
            )];
        }
        let order: Vec<String> = key.iter().map(KeyColumn::order).collect();
        let order = order.join(", ");
        if before.is_empty() {
            return vec![(format!("{select} ORDER BY {order}"), Vec::new())];
        }
        let range = |depth: usize| {
            let terms: Vec<String> = key[..depth]
                .iter()
                .zip(before)
                .enumerate()
                .map(|(index, (column, value))| {
                    column.condition(value, index + 1, index + 1 < depth)
                })
                .collect();
            let sql = format!("{select} WHERE {} ORDER BY {order}", terms.join(" AND "));
            (sql, before[..depth].to_vec())
        };
        (1..=before.len()).rev().map(range).collect()
    }

    /// How many rows are before the last batch, in a table whose rows are counted.
    fn counted(&self) -> i64 {
        match self.before.first().map(|cell| &cell.value) {
            Some(Value::Integer(count)) => *count,
            _ => 0,
        }
    }
}

impl KeyColumn {
    fn order(&self) -> String {
        let direction = if self.descends { "DESC" } else { "ASC" };
        format!("{} COLLATE {} {direction}", self.name, self.collation)
    }

    /// The rows that have this value, parameter `number`, or one behind it.
    fn condition(&self, value: &Cell, number: usize, equal: bool) -> String {
        let operator = match (equal, self.descends) {
            (true, _) => "=",
            (false, true) => "<",
            (false, false) => ">",
        };
        // Text is bound as its bytes. The plus removes the affinity of CAST, which would change how numbers compare.
        let parameter = match value.is_text {
            true => format!("+CAST(?{number} AS TEXT)"),
            false => format!("?{number}"),
        };
        format!("{} COLLATE {} {operator} {parameter}", self.name, self.collation)
    }
}

/// The key of a table WITHOUT ROWID, in its own order and collations.
fn primary_key(database: &Connection, table: &str) -> rusqlite::Result<Vec<KeyColumn>> {
    let mut select = database.prepare(
        "SELECT x.name, x.coll, x.\"desc\" FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x \
         WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
    )?;
    let columns = select.query_map([table], |row| {
        let [name, collation] = [0, 1].map(|index| row.get::<_, String>(index));
        Ok(KeyColumn {
            name: quoted(&name?),
            collation: quoted(&collation?),
            descends: row.get(2)?,
        })
    })?;
    columns.collect()
}

/// Appends a row; false: it does not fit with those before it.
fn append(batch: &mut Batch, cells: &[Cell], max_bytes: usize) -> bool {
    // A cell that does not fit with the short ones before it is long, wherever the batch begins.
    let mut size = 0;
    let mut is_short = Vec::new();
    for cell in cells {
        let length = cell.bytes().map_or(0, <[u8]>::len);
        is_short.push(size + length <= max_bytes);
        size += if size + length <= max_bytes { length } else { 0 };
    }
    let is_full =
        batch.bytes.len() + size > max_bytes || batch.kinds.len() + cells.len() > MAX_CELLS;
    if batch.rows > 0 && is_full {
        return false;
    }
    for (cell, is_short) in cells.iter().zip(is_short) {
        // SQLite's codes, and the contract's two for long values.
        batch.kinds.push(match (&cell.value, cell.is_text, is_short) {
            (Value::Integer(_), ..) => 1,
            (Value::Real(_), ..) => 2,
            (Value::Null, ..) => 5,
            (_, true, true) => 3,
            (_, false, true) => 4,
            (_, true, false) => 6,
            (_, false, false) => 7,
        });
        match &cell.value {
            Value::Integer(value) => batch.integers.push(*value),
            Value::Real(value) => batch.reals.push(*value),
            Value::Blob(bytes) => {
                batch.lengths.push(bytes.len() as u32);
                batch.bytes.extend_from_slice(if is_short { bytes } else { &[] });
            }
            Value::Null | Value::Text(_) => {}
        }
    }
    batch.rows += 1;
    true
}

fn empty_batch() -> Batch {
    Batch {
        rows: 0,
        kinds: Vec::new(),
        integers: Vec::new(),
        reals: Vec::new(),
        lengths: Vec::new(),
        bytes: Vec::new(),
    }
}

fn count(rows: i64) -> Cell {
    Cell { is_text: false, value: Value::Integer(rows) }
}

/// A name for SQL. rusqlite takes SQL that is valid UTF-8 only.
fn valid(name: &[u8]) -> Result<&str, Error> {
    str::from_utf8(name).map_err(|error| Error::Failed(format!("a name is not UTF-8: {error}")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
