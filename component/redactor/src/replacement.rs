//! What stands in place of a column's values, by the column's type.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::decisions::{same, shown};
use crate::policy::{Literal, Rule};
use partway_rows::{Affinity, Column, Encoding};

/// A text in place of a value.
const MASK: &str = "***";

/// What stands in place of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Replacement {
    /// Always the same.
    Constant(Constant),
    /// A hash of it.
    Hash(HashForm),
}

/// A constant, as a cell has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Null,
    Integer(i64),
    Real(f64),
    /// In the database's encoding.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// The form of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashForm {
    /// 63 bits of it, as an integer.
    Integer,
    /// All of it, in hexadecimal digits, in this encoding.
    Text(Encoding),
    /// All of it.
    Blob,
}

/// What stands in place of a column's values; none: they are kept, or the column is dropped.
pub(crate) fn replacement(
    rule: &Rule,
    column: &Column,
    is_strict: bool,
    encoding: Encoding,
) -> Result<Option<Replacement>, String> {
    let affinity = Affinity::of(&column.declared_type);
    let constant = match rule {
        Rule::Keep | Rule::Drop => return Ok(None),
        Rule::Hash => {
            return hash_form(affinity, column, encoding).map(Replacement::Hash).map(Some);
        }
        Rule::Null => Constant::Null,
        Rule::Value(value) => {
            if is_strict && !fits(value, column) {
                return Err(format!(
                    "column {} is of the type {} in a STRICT table, which the policy's value is not",
                    shown(&column.name),
                    String::from_utf8_lossy(&column.declared_type)
                ));
            }
            match value {
                Literal::Integer(value) => Constant::Integer(*value),
                Literal::Real(value) => Constant::Real(*value),
                Literal::Text(value) => Constant::Text(encoded(value, encoding)),
            }
        }
        Rule::Mask => match affinity {
            // ANY, the only type of STRICT tables with this affinity, takes a text too.
            Affinity::Numeric if is_strict => Constant::Text(encoded(MASK, encoding)),
            Affinity::Integer | Affinity::Numeric => Constant::Integer(0),
            Affinity::Real => Constant::Real(0.0),
            Affinity::Blob => Constant::Blob(Vec::new()),
            Affinity::Text | Affinity::None => Constant::Text(encoded(MASK, encoding)),
        },
    };
    Ok(Some(Replacement::Constant(constant)))
}

fn hash_form(affinity: Affinity, column: &Column, encoding: Encoding) -> Result<HashForm, String> {
    match affinity {
        Affinity::Integer => Ok(HashForm::Integer),
        Affinity::Blob => Ok(HashForm::Blob),
        Affinity::Text | Affinity::Numeric | Affinity::None => Ok(HashForm::Text(encoding)),
        Affinity::Real => Err(format!(
            "column {} holds floats, which can't be hashed without collisions: mask it, set it to null or drop it",
            shown(&column.name)
        )),
    }
}

/// Whether a column of a STRICT table takes a value as it is.
fn fits(value: &Literal, column: &Column) -> bool {
    let is = |types: &[&str]| types.iter().any(|name| same(&column.declared_type, name.as_bytes()));
    match value {
        Literal::Integer(_) => is(&["INT", "INTEGER", "REAL", "ANY"]),
        Literal::Real(_) => is(&["REAL", "ANY"]),
        Literal::Text(_) => is(&["TEXT", "ANY"]),
    }
}

/// A text as a cell of the database holds it.
pub(crate) fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf16le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

/// A key for hashes.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    /// A key of any length.
    pub(crate) fn new(key: &[u8]) -> Result<Self, String> {
        let keyed = Hmac::new_from_slice(key).map_err(|_| String::from("the key can't be used"))?;
        Ok(Self(keyed))
    }

    /// Begins the hash of a text: of its bytes alone.
    pub(crate) fn text(&self) -> Hasher {
        Hasher(self.0.clone())
    }

    /// Begins the hash of a blob. Its tag is no beginning of a text, so that a text and a blob of the same bytes, which
    /// are different values, have different hashes.
    pub(crate) fn blob(&self) -> Hasher {
        let mut hasher = self.text();
        hasher.update(b"\xffb");
        hasher
    }

    /// The hash of a number: of its shortest decimal form, the same for 5 and 5.0, which are equal to SQLite.
    fn number(&self, decimal: &str) -> [u8; 32] {
        let mut hasher = self.text();
        hasher.update(b"\xffn");
        hasher.update(decimal.as_bytes());
        hasher.finish()
    }

    /// The hash of an integer.
    pub(crate) fn integer(&self, value: i64) -> [u8; 32] {
        self.number(&format!("{value}"))
    }

    /// The hash of a float.
    pub(crate) fn real(&self, value: f64) -> [u8; 32] {
        // -0.0 is equal to 0.
        let value = if value == 0.0 { 0.0 } else { value };
        self.number(&format!("{value}"))
    }
}

/// A hash that has begun.
pub(crate) struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// Adds bytes of the value.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// The first 63 bits of a hash.
pub(crate) fn integer(hash: &[u8; 32]) -> i64 {
    let first = hash.first_chunk::<8>().copied().unwrap_or_default();
    (u64::from_be_bytes(first) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use partway_rows::ColumnKind;

    #[test]
    fn a_text_is_hashed_as_other_programs_do() {
        // printf %s ada@example.com | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = Key::new(b"0123456789abcdef").unwrap();
        let mut hasher = key.text();
        hasher.update(b"ada@");
        hasher.update(b"example.com");
        assert_eq!(
            base16ct::lower::encode_string(&hasher.finish()),
            "512383176ce1b4c279ee430548cf07ec0b58efa588517b611c1f0da6d2b9e577"
        );
    }

    #[test]
    fn equal_numbers_have_equal_hashes_and_other_classes_other_ones() {
        let key = Key::new(b"0123456789abcdef").unwrap();
        let of = |mut hasher: Hasher| {
            hasher.update(b"5");
            hasher.finish()
        };
        assert_eq!(key.integer(5), key.real(5.0));
        assert_eq!(key.real(-0.0), key.integer(0));
        assert_ne!(key.integer(5), of(key.text()));
        assert_ne!(of(key.blob()), of(key.text()));
    }

    #[test]
    fn what_stands_for_a_value_fits_the_column() {
        let of = |declared: &str, strict: bool, rule: &Rule| {
            let column = Column {
                name: b"c".to_vec(),
                declared_type: declared.into(),
                kind: ColumnKind::Ordinary,
                primary_key: 0,
            };
            replacement(rule, &column, strict, Encoding::Utf8)
        };
        let constant = |value| Ok(Some(Replacement::Constant(value)));
        assert_eq!(of("BIGINT", false, &Rule::Mask), constant(Constant::Integer(0)));
        assert_eq!(of("VARCHAR(9)", false, &Rule::Mask), constant(Constant::Text(b"***".to_vec())));
        assert_eq!(of("DATE", false, &Rule::Mask), constant(Constant::Integer(0)));
        assert_eq!(of("ANY", true, &Rule::Mask), constant(Constant::Text(b"***".to_vec())));
        assert_eq!(of("BLOB", true, &Rule::Mask), constant(Constant::Blob(vec![])));
        assert_eq!(of("INT", false, &Rule::Hash), Ok(Some(Replacement::Hash(HashForm::Integer))));
        assert!(of("DOUBLE", false, &Rule::Hash).unwrap_err().contains("floats"));
        let text = Rule::Value(Literal::Text("x".into()));
        assert_eq!(of("INT", false, &text), constant(Constant::Text(b"x".to_vec())));
        assert!(of("INT", true, &text).unwrap_err().contains("STRICT"));
    }
}
