//! Text in UTF-16, converted to UTF-8.

use alloc::string::String;

use crate::pipe::Encoding;

/// The beginning of a text, converted.
pub struct Converted {
    /// In UTF-8.
    pub text: String,
    /// How many bytes of UTF-16 it was.
    pub bytes: usize,
    /// How many times something that is no character became U+FFFD: a surrogate without its other half, or a
    /// single byte at the end.
    pub replaced: u64,
}

/// Converts a piece of text. Half a character at the end of a piece that is not the `last` is left for the next piece.
///
/// SQLite's own conversion makes something else of a surrogate without its other half: it takes the next character for
/// the other half, whatever that is, or writes bytes that are no UTF-8. Compiled with `SQLITE_REPLACE_INVALID_UTF`, it
/// writes U+FFFD too.
pub fn from_utf16(piece: &[u8], encoding: Encoding, last: bool) -> Converted {
    let (units, rest) = piece.as_chunks::<2>();
    let unit = |bytes: &[u8; 2]| match encoding {
        Encoding::Utf16be => u16::from_be_bytes(*bytes),
        _ => u16::from_le_bytes(*bytes),
    };
    let is_cut = !last && units.last().is_some_and(|bytes| matches!(unit(bytes), 0xd800..0xdc00));
    let units = &units[..units.len() - usize::from(is_cut)];
    let mut text = String::with_capacity(piece.len());
    let mut replaced = 0;
    for char in char::decode_utf16(units.iter().map(unit)) {
        replaced += u64::from(char.is_err());
        text.push(char.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    let mut bytes = 2 * units.len();
    if last && !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
        replaced += 1;
        bytes += rest.len();
    }
    Converted { text, bytes, replaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    #[test]
    fn what_is_no_character_is_replaced_and_counted() {
        let cases: [(&[u16], &str, u64); 7] = [
            (&[], "", 0),
            (&[0x61, 0xe4, 0x4e16, 0xd83d, 0xde00, 0], "aä世😀\0", 0),
            (&[0xfeff, 0xfffe, 0xffff], "\u{feff}\u{fffe}\u{ffff}", 0),
            (&[0xd83d], "\u{fffd}", 1),
            (&[0xd83d, 0x61], "\u{fffd}a", 1),
            (&[0xde00, 0xd83d, 0xde00], "\u{fffd}😀", 1),
            (&[0xd83d, 0xd83d, 0xde00, 0xdc00], "\u{fffd}😀\u{fffd}", 2),
        ];
        for (units, text, replaced) in cases {
            let little = bytes(units);
            let big: Vec<u8> = little.chunks(2).flat_map(|unit| [unit[1], unit[0]]).collect();
            for (bytes, encoding) in [(little, Encoding::Utf16le), (big, Encoding::Utf16be)] {
                let converted = from_utf16(&bytes, encoding, true);
                assert_eq!((&*converted.text, converted.replaced), (text, replaced));
                assert_eq!(converted.bytes, bytes.len());
            }
        }
        let odd = from_utf16(b"a\0b", Encoding::Utf16le, true);
        assert_eq!((&*odd.text, odd.replaced, odd.bytes), ("a\u{fffd}", 1, 3));
    }

    #[test]
    fn pieces_give_what_the_whole_gives_wherever_they_end() {
        let whole = bytes(&[0x61, 0xd83d, 0xde00, 0xd83d, 0x62, 0xde00, 0xd83d, 0xde01]);
        let expected = from_utf16(&whole, Encoding::Utf16le, true);
        for end in 0..=whole.len() {
            let is_last = end == whole.len();
            let first = from_utf16(&whole[..end], Encoding::Utf16le, is_last);
            let rest = from_utf16(&whole[first.bytes..], Encoding::Utf16le, true);
            assert_eq!(first.text + &rest.text, expected.text, "{end}");
            assert_eq!(first.replaced + rest.replaced, expected.replaced, "{end}");
        }
    }
}
