//! Positions: places between two rows of a table, and their encoding in checkpoints.

use rusqlite::types::ValueRef;

/// A place in a table: right after the row with this key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Position {
    /// Before the first row.
    Start,
    /// The rowid of a rowid table.
    Rowid(i64),
    /// Right before the first row of this rowid or a larger one: what lies before is damaged, and even a search for the
    /// end of it fails.
    RowidFrom(i64),
    /// The primary key of a WITHOUT ROWID table.
    PrimaryKey(Vec<KeyValue>),
    /// So many rows from the start, of a table whose rowid no name reaches.
    Ordinal(u64),
}

/// A row's value in one column of a primary key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyValue {
    Null,
    Integer(i64),
    Real(f64),
    /// In the database's encoding.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

const TAG_ROWID: u8 = 1;
pub(crate) const TAG_PRIMARY_KEY: u8 = 2;
const TAG_ORDINAL: u8 = 3;
const TAG_ROWID_FROM: u8 = 4;

impl Position {
    /// As the contract's position: opaque bytes, none of them for the start.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Start => Vec::new(),
            Self::Rowid(rowid) => tagged(TAG_ROWID, &rowid.to_be_bytes()),
            Self::RowidFrom(rowid) => tagged(TAG_ROWID_FROM, &rowid.to_be_bytes()),
            Self::Ordinal(rows) => tagged(TAG_ORDINAL, &rows.to_be_bytes()),
            Self::PrimaryKey(values) => {
                let mut to = vec![TAG_PRIMARY_KEY];
                for value in values {
                    encode_value(&mut to, value.value_ref());
                }
                to
            }
        }
    }

    /// Reads the contract's position; none where it is damaged.
    pub(crate) fn decode(position: &[u8]) -> Option<Self> {
        let Some((tag, mut rest)) = position.split_first() else { return Some(Self::Start) };
        match *tag {
            TAG_ROWID => Some(Self::Rowid(i64::from_be_bytes(rest.try_into().ok()?))),
            TAG_ROWID_FROM => Some(Self::RowidFrom(i64::from_be_bytes(rest.try_into().ok()?))),
            TAG_ORDINAL => Some(Self::Ordinal(u64::from_be_bytes(rest.try_into().ok()?))),
            TAG_PRIMARY_KEY => {
                let mut values = Vec::new();
                while !rest.is_empty() {
                    values.push(KeyValue::decode(&mut rest)?);
                }
                Some(Self::PrimaryKey(values))
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

impl KeyValue {
    pub(crate) fn value_ref(&self) -> ValueRef<'_> {
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
}

/// Appends a value of a primary key to an encoded position.
#[inline]
pub(crate) fn encode_value(to: &mut Vec<u8>, value: ValueRef<'_>) {
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
            Position::Start,
            Position::Rowid(i64::MIN),
            Position::RowidFrom(i64::MAX),
            Position::Ordinal(7),
            Position::PrimaryKey(vec![
                KeyValue::Integer(-1),
                KeyValue::Real(-0.0),
                KeyValue::Text(b"a\0\xff".to_vec()),
                KeyValue::Blob(vec![]),
                KeyValue::Null,
            ]),
        ];
        for key in keys {
            let position = key.encode();
            assert_eq!(Position::decode(&position), Some(key.clone()));
            for end in 1..position.len() {
                assert_ne!(Position::decode(&position[..end]), Some(key.clone()));
            }
        }
        assert_eq!(Position::decode(&[9]), None);
    }
}
