//! Which of Parquet's types a column has.
//!
//! SQLite stores any value in any column, so what is declared is a wish. A column's type is the smallest that holds
//! everything that is stored in it; what is declared counts where nothing is stored, or where it is not looked.

use alloc::string::String;

use partway_format::pipe::Affinity;
use serde::{Deserialize, Serialize};

/// Parquet's physical types, as far as they are used, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Physical {
    Int64 = 2,
    Double = 5,
    Bytes = 6,
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColumnType {
    /// Integers.
    Integer,
    /// Floats, and integers that are floats too.
    Real,
    /// Text in UTF-8; numbers as digits.
    Text,
    /// Blobs; text in UTF-8; numbers as digits.
    Bytes,
    /// Blobs, and text in the bytes that are stored, some of which are no text; numbers as digits.
    Stored,
}

impl ColumnType {
    pub(crate) fn physical(self) -> Physical {
        match self {
            Self::Integer => Physical::Int64,
            Self::Real => Physical::Double,
            Self::Text | Self::Bytes | Self::Stored => Physical::Bytes,
        }
    }

    /// What its values are, in an error's words.
    pub(crate) fn of_what(self) -> &'static str {
        match self {
            Self::Integer => "integers",
            Self::Real => "floats",
            Self::Text => "text",
            Self::Bytes | Self::Stored => "bytes",
        }
    }

    /// The type that a declaration asks for. What has none of SQLite's own affinities holds anything but blobs as text.
    pub(crate) fn declared(declaration: &[u8]) -> Self {
        match Affinity::of(declaration) {
            Affinity::Integer => Self::Integer,
            Affinity::Real => Self::Real,
            Affinity::Blob => Self::Bytes,
            Affinity::Text | Affinity::Numeric | Affinity::None => Self::Text,
        }
    }

    /// The type for what is stored; where that is nothing, the one that is declared.
    pub(crate) fn of_stored(stored: Stored, declaration: &[u8]) -> Self {
        if stored.is_invalid {
            Self::Stored
        } else if stored.blobs {
            Self::Bytes
        } else if stored.texts {
            Self::Text
        } else if stored.reals {
            if stored.is_inexact { Self::Text } else { Self::Real }
        } else if stored.integers {
            Self::Integer
        } else {
            Self::declared(declaration)
        }
    }
}

/// Whether a STRICT table's declaration says what is stored: all do but ANY.
pub(crate) fn is_certain(declaration: &[u8]) -> bool {
    !declaration.eq_ignore_ascii_case(b"ANY")
}

/// What is stored in a column. Saved as a number: a table may have 32,767 columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub(crate) struct Stored {
    pub(crate) integers: bool,
    pub(crate) reals: bool,
    pub(crate) texts: bool,
    pub(crate) blobs: bool,
    /// An integer that no float is equal to.
    pub(crate) is_inexact: bool,
    /// Text that is not valid in the database's encoding.
    pub(crate) is_invalid: bool,
}

impl Stored {
    /// The kinds of values that come out as one and the same; none: what comes out has the kind of what is stored.
    pub(crate) fn mixed(self) -> Option<String> {
        let is_number = !self.texts && !self.blobs && !self.is_inexact;
        let kinds = [
            (self.integers, "integers"),
            (self.reals, "floats"),
            (self.texts, "text"),
            (self.blobs, "blobs"),
        ];
        let found = || kinds.iter().filter(|(is_stored, _)| *is_stored);
        if is_number || found().count() < 2 {
            return None;
        }
        let mut text = String::new();
        let last = found().count() - 1;
        for (at, (_, kind)) in found().enumerate() {
            text.push_str(match at {
                0 => "",
                _ if at == last => " and ",
                _ => ", ",
            });
            text.push_str(kind);
        }
        Some(text)
    }
}

impl From<Stored> for u8 {
    fn from(stored: Stored) -> Self {
        let Stored { integers, reals, texts, blobs, is_inexact, is_invalid } = stored;
        [integers, reals, texts, blobs, is_inexact, is_invalid]
            .iter()
            .rev()
            .fold(0, |bits, bit| bits << 1 | Self::from(*bit))
    }
}

impl From<u8> for Stored {
    fn from(bits: u8) -> Self {
        let is_set = |bit: u8| bits >> bit & 1 == 1;
        Self {
            integers: is_set(0),
            reals: is_set(1),
            texts: is_set(2),
            blobs: is_set(3),
            is_inexact: is_set(4),
            is_invalid: is_set(5),
        }
    }
}

/// Whether a float is equal to an integer.
#[inline]
pub(crate) fn is_exact(integer: i64) -> bool {
    let float = integer as f64;
    // 2^63 is a float, but no 64-bit integer.
    float < 9_223_372_036_854_775_808.0 && float as i64 == integer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_have_the_affinities_that_sqlite_gives_them() {
        for (declaration, expected) in [
            ("INTEGER", ColumnType::Integer),
            ("bigint unsigned", ColumnType::Integer),
            ("FLOATING POINT", ColumnType::Integer),
            ("CHARINT", ColumnType::Integer),
            ("VARCHAR(10)", ColumnType::Text),
            ("clob", ColumnType::Text),
            ("BLOB", ColumnType::Bytes),
            ("", ColumnType::Text),
            ("DOUBLE PRECISION", ColumnType::Real),
            ("float", ColumnType::Real),
            ("DECIMAL(10, 2)", ColumnType::Text),
            ("BOOLEAN", ColumnType::Text),
            ("DATETIME", ColumnType::Text),
        ] {
            assert_eq!(ColumnType::declared(declaration.as_bytes()), expected, "{declaration}");
        }
    }

    #[test]
    fn the_type_holds_all_that_is_stored() {
        let none = Stored::default();
        let integers = Stored { integers: true, ..none };
        let reals = Stored { reals: true, ..none };
        let numbers = Stored { integers: true, ..reals };
        for (stored, expected, mixed) in [
            (none, ColumnType::Real, None),
            (integers, ColumnType::Integer, None),
            (Stored { is_inexact: true, ..integers }, ColumnType::Integer, None),
            (reals, ColumnType::Real, None),
            (numbers, ColumnType::Real, None),
            (Stored { is_inexact: true, ..numbers }, ColumnType::Text, Some("integers and floats")),
            (Stored { texts: true, ..none }, ColumnType::Text, None),
            (
                Stored { texts: true, ..numbers },
                ColumnType::Text,
                Some("integers, floats and text"),
            ),
            (Stored { blobs: true, ..none }, ColumnType::Bytes, None),
            (Stored { blobs: true, ..integers }, ColumnType::Bytes, Some("integers and blobs")),
            (Stored { texts: true, is_invalid: true, ..none }, ColumnType::Stored, None),
        ] {
            assert_eq!(ColumnType::of_stored(stored, b"REAL"), expected, "{stored:?}");
            assert_eq!(stored.mixed().as_deref(), mixed, "{stored:?}");
        }
    }

    #[test]
    fn what_is_stored_is_saved_as_a_number() {
        for bits in 0..64 {
            assert_eq!(u8::from(Stored::from(bits)), bits);
        }
        assert_eq!(u8::from(Stored { integers: true, is_invalid: true, ..Stored::default() }), 33);
    }

    #[test]
    fn integers_are_exact_or_not() {
        for integer in [0, -1, 1 << 53, (1 << 53) + 2, i64::MIN, 1 << 62] {
            assert!(is_exact(integer), "{integer}");
        }
        for integer in [(1 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MAX - 1022, i64::MIN + 1] {
            assert!(!is_exact(integer), "{integer}");
        }
    }
}
