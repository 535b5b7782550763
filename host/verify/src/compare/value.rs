//! Cell values: read as the bytes they are stored in, compared bit by bit, and shortened for messages.

use base16ct::lower::encode_string;
use rusqlite::types::ValueRef;

/// The bytes that text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    Utf8,
    Utf16le,
    Utf16be,
}

impl TextEncoding {
    /// How many result columns of a statement make one cell.
    pub(crate) fn width(self) -> usize {
        if self == Self::Utf8 { 1 } else { 2 }
    }

    /// The SQL that reads a column, by its quoted name. SQLite is asked for text as UTF-8. Where text is stored in UTF-16
    /// that would convert it, and hide what does not convert, so it is read as a blob, after a flag that says
    /// it is text.
    pub(crate) fn expression(self, column: &[u8]) -> Vec<u8> {
        let template = match self {
            Self::Utf8 => "?".to_owned(),
            Self::Utf16le | Self::Utf16be => {
                format!(
                    "typeof(?) = 'text', CASE typeof(?) WHEN 'text' THEN {} ELSE ? END",
                    self.stored_text()
                )
            }
        };
        let pieces: Vec<&[u8]> = template.split('?').map(str::as_bytes).collect();
        pieces.join(column)
    }

    /// The SQL that reads the bytes of UTF-16 text. SQLite from 3.43 on takes a byte order mark away from the beginning
    /// of text of more than 4,000 bytes as it reads, and takes the rest to be in the encoding of the mark; what is stored
    /// has it, and `octet_length` counts it. Which mark it was: `||` takes the bytes to be in the
    /// database's encoding again, and RTRIM has both sides converted to UTF-8 before it compares them. In columns of REAL
    /// affinity `octet_length` does not count a mark, and only that of the other byte order is known so.
    ///
    /// With `?` for the column.
    fn stored_text(self) -> String {
        let (own, other) = match self {
            Self::Utf16be => ("x'feff'", "x'fffe'"),
            _ => ("x'fffe'", "x'feff'"),
        };
        let bytes = "CAST(? AS BLOB)";
        format!(
            "CASE WHEN octet_length(?) > 4000 AND octet_length(?) > length({bytes}) \
             THEN CAST(CASE WHEN ? COLLATE RTRIM = ? || '' THEN {own} ELSE {other} END \
             || {bytes} AS BLOB) \
             WHEN length({bytes}) >= 3999 AND NOT (? COLLATE RTRIM = ? || '') \
             THEN CAST({other} || {bytes} AS BLOB) ELSE {bytes} END"
        )
    }

    fn decode(self, bytes: &[u8]) -> Option<String> {
        let units = |unit: fn([u8; 2]) -> u16| {
            let units: Vec<u16> =
                bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            (bytes.len().is_multiple_of(2)).then(|| String::from_utf16(&units).ok()).flatten()
        };
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Self::Utf16le => units(u16::from_le_bytes),
            Self::Utf16be => units(u16::from_be_bytes),
        }
    }

    /// Whether a character may begin at `at`.
    fn is_start(self, bytes: &[u8], at: usize) -> bool {
        let high = |index: usize| bytes.get(index).is_some_and(|byte| matches!(byte, 0xdc..=0xdf));
        match self {
            Self::Utf8 => bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80),
            Self::Utf16le => at.is_multiple_of(2) && !high(at + 1),
            Self::Utf16be => at.is_multiple_of(2) && !high(at),
        }
    }
}

/// The same storage class and the same bits.
pub(crate) fn is_same(one: ValueRef<'_>, other: ValueRef<'_>) -> bool {
    match (one, other) {
        (ValueRef::Real(one), ValueRef::Real(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

/// Bytes of a long value that are shown before the first difference.
const CONTEXT: usize = 16;
/// Bytes of a value that are shown at most.
const SHOWN: usize = 60;

/// A value for a message, from its beginning.
pub(crate) fn shown(value: ValueRef<'_>, encoding: TextEncoding) -> String {
    shown_from(value, encoding, 0)
}

/// Two values that differ, for a message: long ones from just before the first difference.
pub(crate) fn shown_pair(
    one: ValueRef<'_>,
    other: ValueRef<'_>,
    encoding: TextEncoding,
) -> (String, String) {
    let from = match (one, other) {
        (ValueRef::Text(one), ValueRef::Text(other))
        | (ValueRef::Blob(one), ValueRef::Blob(other)) => {
            let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
            if same + CONTEXT < SHOWN { 0 } else { same - CONTEXT }
        }
        _ => 0,
    };
    (shown_from(one, encoding, from), shown_from(other, encoding, from))
}

fn shown_from(value: ValueRef<'_>, encoding: TextEncoding, from: usize) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Blob(bytes) => {
            let (start, end) = (from.min(bytes.len()), (from + SHOWN / 2).min(bytes.len()));
            cut(format!("x'{}'", encode_string(&bytes[start..end])), bytes, start, end)
        }
        ValueRef::Text(bytes) => {
            let mut start = from.min(bytes.len());
            while start > from.saturating_sub(4) && !encoding.is_start(bytes, start) {
                start -= 1;
            }
            let last = (start + SHOWN).min(bytes.len());
            let mut end = last;
            while end > last.saturating_sub(4) && end > start && !encoding.is_start(bytes, end) {
                end -= 1;
            }
            match encoding.decode(&bytes[start..end]) {
                Some(text) => cut(format!("{text:?}"), bytes, start, end),
                None => {
                    cut(format!("text x'{}'", encode_string(&bytes[start..end])), bytes, start, end)
                }
            }
        }
    }
}

/// Marks where something is left out, and says how long the whole value is.
fn cut(shown: String, bytes: &[u8], start: usize, end: usize) -> String {
    match (start, end == bytes.len()) {
        (0, true) => shown,
        (0, false) => format!("{shown}… of {} bytes", bytes.len()),
        (_, true) => format!("…{shown} of {} bytes", bytes.len()),
        (_, false) => format!("…{shown}… of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_sql_writes_them() {
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        for (value, expected) in [
            (ValueRef::Null, "NULL"),
            (ValueRef::Integer(-1), "-1"),
            (ValueRef::Real(-0.0), "-0.0"),
            (text("it's\n\"so\""), r#""it's\n\"so\"""#),
            (ValueRef::Text(b"a\xff"), "text x'61ff'"),
            (ValueRef::Blob(b"\0\xff"), "x'00ff'"),
        ] {
            assert_eq!(shown(value, TextEncoding::Utf8), expected);
        }
        assert_eq!(shown(ValueRef::Text(b"g\0\xfc\0"), TextEncoding::Utf16le), "\"gü\"");
        assert_eq!(shown(ValueRef::Text(b"\0g\0\xfc"), TextEncoding::Utf16be), "\"gü\"");
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (one, other) = ("ä".repeat(100) + "one", "ä".repeat(100) + "two");
        let (one, other) = shown_pair(
            ValueRef::Text(one.as_bytes()),
            ValueRef::Text(other.as_bytes()),
            TextEncoding::Utf8,
        );
        assert_eq!(one, "…\"ääääääääone\" of 203 bytes");
        assert_eq!(other, "…\"äääääääätwo\" of 203 bytes");

        let (one, other) = (vec![7; 1000], vec![7; 999]);
        let (one, other) =
            shown_pair(ValueRef::Blob(&one), ValueRef::Blob(&other), TextEncoding::Utf8);
        assert_ne!(one, other);
        assert!(one.ends_with("of 1000 bytes") && other.ends_with("of 999 bytes"));
    }

    #[test]
    fn no_piece_begins_or_ends_within_a_character() {
        for length in 0..8 {
            let text = "a".repeat(length) + &"😀".repeat(50);
            let mut utf16 = Vec::new();
            text.encode_utf16().for_each(|unit| utf16.extend(unit.to_le_bytes()));
            for from in 0..40 {
                for (bytes, encoding) in
                    [(text.as_bytes(), TextEncoding::Utf8), (&utf16, TextEncoding::Utf16le)]
                {
                    let shown = shown_from(ValueRef::Text(bytes), encoding, from);
                    assert!(shown.contains('😀') && !shown.contains("x'"), "{from}: {shown}");
                }
            }
        }
    }
}
