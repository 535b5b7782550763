//! The affinity of columns: which kind of values SQLite prefers in them.

/// SQLite's affinity of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Integers.
    Integer,
    /// Text.
    Text,
    /// What is declared BLOB: values stay as they are.
    Blob,
    /// Floats.
    Real,
    /// Numbers of either kind.
    Numeric,
    /// No type is declared. To SQLite it is the same as [`Affinity::Blob`].
    None,
}

impl Affinity {
    /// By the declared type (SQLite's documentation of types, section 3.1).
    pub fn of(declared_type: &[u8]) -> Self {
        let has = |word: &[u8]| {
            declared_type.windows(word.len()).any(|found| found.eq_ignore_ascii_case(word))
        };
        if has(b"INT") {
            Self::Integer
        } else if has(b"CHAR") || has(b"CLOB") || has(b"TEXT") {
            Self::Text
        } else if has(b"BLOB") {
            Self::Blob
        } else if has(b"REAL") || has(b"FLOA") || has(b"DOUB") {
            Self::Real
        } else if declared_type.is_empty() {
            Self::None
        } else {
            Self::Numeric
        }
    }
}
