//! Positions: marks between two rows, in the order of a table's key.

use rusqlite::types::ValueRef;

/// A place in a table: behind the row with this key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    /// Before the first row.
    Start,
    /// The rowid of a rowid table.
    Rowid(i64),
    /// The primary key of a WITHOUT ROWID table.
    Primary(Vec<KeyCell>),
    /// So many rows from the start, of a table whose rowid no name reaches.
    Ordinal(u64),
}

/// One column of a primary key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyCell {
    Null,
    Integer(i64),
    Real(f64),
    /// In the database's encoding.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

const ROWID: u8 = 1;
pub(crate) const PRIMARY: u8 = 2;
const ORDINAL: u8 = 3;

impl Key {
    /// As a position of the contract. Nothing at all is the start.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Start => Vec::new(),
            Self::Rowid(rowid) => tagged(ROWID, &rowid.to_be_bytes()),
            Self::Ordinal(rows) => tagged(ORDINAL, &rows.to_be_bytes()),
            Self::Primary(cells) => {
                let mut to = vec![PRIMARY];
                for cell in cells {
                    encode_cell(&mut to, cell.value());
                }
                to
            }
        }
    }

    /// Out of a position; none where it is damaged.
    pub(crate) fn decode(position: &[u8]) -> Option<Self> {
        let Some((tag, mut rest)) = position.split_first() else { return Some(Self::Start) };
        match *tag {
            ROWID => Some(Self::Rowid(i64::from_be_bytes(rest.try_into().ok()?))),
            ORDINAL => Some(Self::Ordinal(u64::from_be_bytes(rest.try_into().ok()?))),
            PRIMARY => {
                let mut cells = Vec::new();
                while !rest.is_empty() {
                    cells.push(KeyCell::decode(&mut rest)?);
                }
                Some(Self::Primary(cells))
            }
            _ => None,
        }
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut to = vec![tag];
    to.extend_from_slice(bytes);
    to
}

impl KeyCell {
    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        Some(match take::<1>(from)? {
            [1] => Self::Integer(i64::from_be_bytes(take(from)?)),
            [2] => Self::Real(f64::from_bits(u64::from_be_bytes(take(from)?))),
            [kind @ (3 | 4)] => {
                let length = u32::from_be_bytes(take(from)?) as usize;
                let (bytes, rest) = from.split_at_checked(length)?;
                *from = rest;
                if kind == 3 { Self::Text(bytes.to_vec()) } else { Self::Blob(bytes.to_vec()) }
            }
            [5] => Self::Null,
            _ => return None,
        })
    }

    /// The parameter for it, and how it stands in SQL as number `index`. UTF-16 goes as a blob that is
    /// cast, which leaves its bytes alone. The plus takes the cast's affinity away, which would change
    /// how numbers compare.
    pub(crate) fn parameter(&self, index: usize, utf8: bool) -> (String, ValueRef<'_>) {
        match self.value() {
            ValueRef::Text(bytes) if !utf8 => {
                (format!("+CAST(?{index} AS TEXT)"), ValueRef::Blob(bytes))
            }
            value => (format!("?{index}"), value),
        }
    }
}

/// Appends one column of a key, as part of a position.
pub(crate) fn encode_cell(to: &mut Vec<u8>, value: ValueRef<'_>) {
    // The tags are SQLite's type codes.
    match value {
        ValueRef::Integer(value) => {
            to.push(1);
            to.extend_from_slice(&value.to_be_bytes());
        }
        ValueRef::Real(value) => {
            to.push(2);
            to.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            to.push(if matches!(value, ValueRef::Text(_)) { 3 } else { 4 });
            // SQLite's values are shorter than 2^31 bytes.
            to.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            to.extend_from_slice(bytes);
        }
        ValueRef::Null => to.push(5),
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_again_and_nothing_shorter_is() {
        let keys = [
            Key::Start,
            Key::Rowid(i64::MIN),
            Key::Ordinal(7),
            Key::Primary(vec![
                KeyCell::Integer(-1),
                KeyCell::Real(-0.0),
                KeyCell::Text(b"a\0\xff".to_vec()),
                KeyCell::Blob(vec![]),
                KeyCell::Null,
            ]),
        ];
        for key in keys {
            let position = key.encode();
            assert_eq!(Key::decode(&position), Some(key.clone()));
            for end in 1..position.len() {
                assert_ne!(Key::decode(&position[..end]), Some(key.clone()));
            }
        }
        assert_eq!(Key::decode(&[9]), None);
    }
}
