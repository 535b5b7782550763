//! Rows that are left out.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::inner_batch::Value;
use crate::policy::{Comparison, Literal, RowFilter};
use partway_rows::{Encoding, Text};

/// A condition for rows to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    column: Text,
    condition: Condition,
}

#[derive(Debug, Clone)]
enum Condition {
    Comparison {
        is: Comparison,
        value: Literal,
        encoding: Encoding,
    },
    /// A text in the database's encoding.
    OneOf(Vec<Text>),
}

impl Filter {
    /// A policy's condition. `column` is the column's name as the schema has it.
    pub(crate) fn comparison(column: Text, filter: &RowFilter, encoding: Encoding) -> Self {
        let (is, value) = (filter.is, filter.value.clone());
        Self { column, condition: Condition::Comparison { is, value, encoding } }
    }

    /// The column's value is one of these texts.
    pub(crate) fn one_of(column: Text, texts: Vec<Text>) -> Self {
        Self { column, condition: Condition::OneOf(texts) }
    }

    /// The column.
    pub(crate) fn column(&self) -> &Text {
        &self.column
    }

    /// How many bytes of a long text decide.
    pub(crate) fn deciding_bytes(&self) -> u32 {
        let longest = match &self.condition {
            Condition::Comparison { value: Literal::Text(text), .. } => text.len(),
            Condition::Comparison { .. } => 0,
            Condition::OneOf(texts) => texts.iter().map(Vec::len).max().unwrap_or(0),
        };
        // A character is up to four bytes here and one or more there.
        u32::try_from(4 * longest + 8).unwrap_or(u32::MAX)
    }

    /// Whether a row with this value is kept. Of a long text, its beginning.
    pub(crate) fn keeps(&self, cell: Value<'_>) -> bool {
        match &self.condition {
            Condition::OneOf(texts) => {
                matches!(cell, Value::Text(text) if texts.iter().any(|wanted| wanted == text))
            }
            Condition::Comparison { is, value, encoding } => order(cell, value, *encoding)
                .is_some_and(|order| match is {
                    Comparison::Equal => order.is_eq(),
                    Comparison::NotEqual => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                }),
        }
    }
}

/// How a value compares with a constant; none: they are not of a kind.
fn order(cell: Value<'_>, value: &Literal, encoding: Encoding) -> Option<Ordering> {
    match (cell, value) {
        (Value::Integer(cell), Literal::Integer(value)) => Some(cell.cmp(value)),
        (Value::Integer(cell), Literal::Real(value)) => integer_with_real(cell, *value),
        (Value::Real(cell), Literal::Integer(value)) => {
            integer_with_real(*value, cell).map(Ordering::reverse)
        }
        (Value::Real(cell), Literal::Real(value)) => cell.partial_cmp(value),
        (Value::Text(cell), Literal::Text(value)) => Some(match encoding {
            Encoding::Utf8 => cell.cmp(value.as_bytes()),
            Encoding::Utf16le => decoded(cell, u16::from_le_bytes).as_str().cmp(value),
            Encoding::Utf16be => decoded(cell, u16::from_be_bytes).as_str().cmp(value),
        }),
        _ => None,
    }
}

/// Without rounding the integer.
fn integer_with_real(integer: i64, real: f64) -> Option<Ordering> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if real >= BOUND {
        return Some(Ordering::Less);
    }
    if real < -BOUND {
        return Some(Ordering::Greater);
    }
    let whole = real as i64;
    match integer.cmp(&whole) {
        Ordering::Equal => (whole as f64).partial_cmp(&real),
        other => Some(other),
    }
}

fn decoded(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let character = |found: Result<char, _>| found.unwrap_or(char::REPLACEMENT_CHARACTER);
    char::decode_utf16(units).map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(is: Comparison, value: Literal, cell: Value<'_>) -> bool {
        let filter = RowFilter { column: "c".into(), is, value };
        Filter::comparison(b"c".to_vec(), &filter, Encoding::Utf8).keeps(cell)
    }

    #[test]
    fn numbers_compare_exactly_and_other_kinds_are_left_out() {
        use Comparison::{Equal, Greater, Less, NotEqual};
        let large = (1_i64 << 53) + 1;
        assert!(keeps(Equal, Literal::Integer(5), Value::Real(5.0)));
        assert!(!keeps(Equal, Literal::Real(9_007_199_254_740_992.0), Value::Integer(large)));
        assert!(keeps(Greater, Literal::Real(9_007_199_254_740_992.0), Value::Integer(large)));
        assert!(keeps(Less, Literal::Real(1e300), Value::Integer(i64::MAX)));
        assert!(keeps(Greater, Literal::Real(-0.5), Value::Integer(0)));
        for cell in [Value::Null, Value::Text(b"5"), Value::Blob(b"5")] {
            assert!(!keeps(Equal, Literal::Integer(5), cell), "{cell:?}");
            assert!(!keeps(NotEqual, Literal::Integer(5), cell), "{cell:?}");
        }
        assert!(keeps(Equal, Literal::Text("é".into()), Value::Text("é".as_bytes())));
    }

    #[test]
    fn text_compares_in_every_encoding() {
        for encoding in [Encoding::Utf16le, Encoding::Utf16be] {
            let filter = RowFilter {
                column: "c".into(),
                is: Comparison::GreaterOrEqual,
                value: Literal::Text("é".into()),
            };
            let filter = Filter::comparison(b"c".to_vec(), &filter, encoding);
            for (text, kept) in [("é", true), ("éa", true), ("🙂", true), ("z", false)] {
                let cell = crate::replacement::encoded(text, encoding);
                assert_eq!(filter.keeps(Value::Text(&cell)), kept, "{text}");
            }
        }
    }
}
