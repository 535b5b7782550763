//! A cell as it is stored, and positions: the cells of a key, as bytes.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql};

/// A value. The bytes of text, which need not be valid, are in the database's encoding.
#[derive(Debug, Clone)]
pub struct Cell {
    pub is_text: bool,
    pub value: Value,
}

/// A column as two results, so that text comes as the bytes that are stored.
pub fn exact(name: &str) -> String {
    format!(
        "typeof({name}) = 'text', CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
    )
}

impl Cell {
    /// The cell of so many before it in a row of [`exact`] columns.
    pub fn of(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        Ok(Self { is_text: row.get(2 * index)?, value: row.get(2 * index + 1)? })
    }

    /// Of text and blobs.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::from(&self.value)))
    }
}

/// Each cell: SQLite's code of its type, then a number of 8 bytes, or a length of 4 and the bytes.
pub fn encode_position(cells: &[Cell]) -> Vec<u8> {
    let mut to = Vec::new();
    for cell in cells {
        match &cell.value {
            Value::Integer(value) => to.extend([&[1][..], &value.to_be_bytes()].concat()),
            Value::Real(value) => to.extend([&[2][..], &value.to_be_bytes()].concat()),
            Value::Blob(bytes) => {
                to.push(if cell.is_text { 3 } else { 4 });
                to.extend((bytes.len() as u32).to_be_bytes());
                to.extend(bytes);
            }
            Value::Text(_) | Value::Null => to.push(5),
        }
    }
    to
}

/// None: it is damaged.
pub fn decode_position(mut from: &[u8]) -> Option<Vec<Cell>> {
    fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
        let (taken, rest) = from.split_first_chunk()?;
        *from = rest;
        Some(*taken)
    }
    let mut cells = Vec::new();
    while !from.is_empty() {
        let [kind] = take(&mut from)?;
        let value = match kind {
            1 => Value::Integer(i64::from_be_bytes(take(&mut from)?)),
            2 => Value::Real(f64::from_be_bytes(take(&mut from)?)),
            3 | 4 => {
                let length = u32::from_be_bytes(take(&mut from)?) as usize;
                let (bytes, rest) = from.split_at_checked(length)?;
                from = rest;
                Value::Blob(bytes.to_vec())
            }
            5 => Value::Null,
            _ => return None,
        };
        cells.push(Cell { is_text: kind == 3, value });
    }
    Some(cells)
}
