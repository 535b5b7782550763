//! Values as SQL literals that restore the storage class and the bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell as Counter;

use super::real::write_real;
use super::text::{write_quoted, write_without_carriage_returns};
use crate::cells::Cell;
use crate::pipe::Encoding;
use crate::values::{Converted, from_utf16, write_hex, write_integer};

/// Writes the values of a database.
pub(crate) struct LiteralWriter {
    encoding: Encoding,
    /// Whether UTF-16 becomes UTF-8, and not text that the target stores in the same UTF-16.
    converts: bool,
    /// What could not be converted, since this was asked for last.
    unconverted: Counter<u64>,
    /// Whether carriage returns may stand in a literal.
    carriage_returns: bool,
}

impl LiteralWriter {
    pub(crate) fn new(encoding: Encoding, to_utf8: bool, carriage_returns: bool) -> Self {
        let converts = to_utf8 && encoding != Encoding::Utf8;
        Self { encoding, converts, unconverted: Counter::new(0), carriage_returns }
    }

    /// Whether text is converted to UTF-8.
    #[inline(always)]
    pub(crate) fn converts(&self) -> bool {
        self.converts
    }

    /// How many characters could not be converted since this was asked for last.
    pub(crate) fn take_unconverted(&self) -> u64 {
        self.unconverted.take()
    }

    /// A piece of text in UTF-8, and how many of its bytes that is. A character may be cut off at the end of a piece that
    /// is not the `last`.
    pub(crate) fn convert(&self, piece: &[u8], last: bool) -> (String, usize) {
        let Converted { text, bytes, replaced } = from_utf16(piece, self.encoding, last);
        self.unconverted.set(self.unconverted.get() + replaced);
        (text, bytes)
    }

    /// Appends a value that is in its batch. Long cells are not, and `long_values` writes them.
    #[inline(always)]
    pub(crate) fn write(&self, to: &mut Vec<u8>, cell: Cell<'_>) {
        match cell {
            Cell::Null | Cell::Long { .. } => to.extend_from_slice(b"NULL"),
            Cell::Integer(value) => write_integer(to, value),
            Cell::Real(value) => write_real(to, value),
            Cell::Text(bytes) => self.write_text(to, bytes, false),
            Cell::Utf8(bytes) => self.write_text(to, bytes, true),
            Cell::Blob(bytes) => {
                to.extend_from_slice(value_opening(false, true));
                write_hex(to, bytes);
                to.extend_from_slice(value_closing(false, true));
            }
        }
    }

    fn write_text(&self, to: &mut Vec<u8>, bytes: &[u8], is_utf8: bool) {
        if self.encoding == Encoding::Utf8 {
            self.write_utf8(to, bytes, bytes, is_utf8);
        } else if self.converts {
            let (text, _) = self.convert(bytes, true);
            self.write_utf8(to, text.as_bytes(), text.as_bytes(), true);
        } else {
            match self.decode_utf16(bytes) {
                Some(text) => self.write_utf8(to, text.as_bytes(), bytes, true),
                None => write_text_as_hex(to, bytes),
            }
        }
    }

    /// Appends text, or its `stored` bytes where no literal can hold it.
    #[inline(always)]
    fn write_utf8(&self, to: &mut Vec<u8>, text: &[u8], stored: &[u8], is_utf8: bool) {
        let start = to.len();
        to.push(b'\'');
        let marks = write_quoted(to, text);
        to.push(b'\'');
        let undecodable = if is_utf8 { marks.nul } else { marks.undecodable(text) };
        if undecodable {
            to.truncate(start);
            write_text_as_hex(to, stored);
        } else if marks.carriage_return && !self.carriage_returns {
            to.truncate(start);
            write_without_carriage_returns(to, text);
        }
    }

    /// The text as UTF-8, if a literal of it restores the same UTF-16. SQLite reads literals as UTF-8, and
    /// converting them to UTF-16 it replaces U+FFFE and U+FFFF (its `READ_UTF8`).
    fn decode_utf16(&self, bytes: &[u8]) -> Option<String> {
        let (units, []) = bytes.as_chunks::<2>() else { return None };
        let units = units.iter().map(|unit| match self.encoding {
            Encoding::Utf16be => u16::from_be_bytes(*unit),
            _ => u16::from_le_bytes(*unit),
        });
        char::decode_utf16(units)
            .map(|char| char.ok().filter(|char| !matches!(char, '\u{fffe}' | '\u{ffff}')))
            .collect()
    }

    /// How many bytes of this piece of a long text can be written as they are; none if any byte can't. A
    /// character may be cut off at the end of a piece that is not the `last`.
    pub(crate) fn plain_up_to(&self, piece: &[u8], last: bool) -> Option<usize> {
        let refused = |byte: &u8| *byte == 0 || (*byte == b'\r' && !self.carriage_returns);
        if self.converts {
            let Converted { text, bytes, .. } = from_utf16(piece, self.encoding, last);
            return (!text.as_bytes().iter().any(refused)).then_some(bytes);
        }
        if self.encoding != Encoding::Utf8 || piece.iter().any(refused) {
            return None;
        }
        match core::str::from_utf8(piece) {
            Ok(_) => Some(piece.len()),
            Err(error) if error.error_len().is_none() && !last => Some(error.valid_up_to()),
            Err(_) => None,
        }
    }
}

/// How many bytes of a piece of plain text are whole characters: the last may be cut off.
pub(crate) fn whole_characters(piece: &[u8]) -> usize {
    match core::str::from_utf8(piece) {
        Ok(_) => piece.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// The text before a long value.
pub(crate) fn value_opening(text: bool, hex: bool) -> &'static [u8] {
    match (text, hex) {
        (true, true) => b"CAST(x'",
        (true, false) => b"'",
        (false, _) => b"x'",
    }
}

/// Appends a piece of a long value.
pub(crate) fn write_piece(to: &mut Vec<u8>, piece: &[u8], hex: bool) {
    if hex {
        write_hex(to, piece);
    } else {
        write_quoted(to, piece);
    }
}

/// The text after a long value.
pub(crate) fn value_closing(text: bool, hex: bool) -> &'static [u8] {
    if text && hex { b"' AS TEXT)" } else { b"'" }
}

/// Text that no literal can hold: its bytes, cast. SQLite takes them as text in the database's encoding.
fn write_text_as_hex(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(value_opening(true, true));
    write_hex(to, bytes);
    to.extend_from_slice(value_closing(true, true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encoding: Encoding, cell: Cell<'_>) -> String {
        let mut to = Vec::new();
        LiteralWriter::new(encoding, false, false).write(&mut to, cell);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn each_storage_class_has_its_literal() {
        for (cell, literal) in [
            (Cell::Null, "NULL"),
            (Cell::Integer(i64::MIN), "-9223372036854775808"),
            (Cell::Real(1.0), "1.0"),
            (Cell::Text(b"it's"), "'it''s'"),
            (Cell::Text(b""), "''"),
            (Cell::Text(b"a\0b"), "CAST(x'610062' AS TEXT)"),
            (Cell::Text(b"\xff"), "CAST(x'ff' AS TEXT)"),
            (Cell::Text(b"a\r\nb"), "replace('a\\r\nb','\\r',char(13))"),
            (Cell::Blob(b"\x00\xfe"), "x'00fe'"),
            (Cell::Blob(b""), "x''"),
        ] {
            assert_eq!(written(Encoding::Utf8, cell), literal);
        }
    }

    #[test]
    fn utf_16_is_decoded_where_a_literal_becomes_the_same_again() {
        let le =
            |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>();
        let cases: [(Vec<u8>, &str); 5] = [
            (le(&[0x61, 0xd83d, 0xde00]), "'a😀'"),
            (le(&[0xd83d]), "CAST(x'3dd8' AS TEXT)"),
            (le(&[0xffff]), "CAST(x'ffff' AS TEXT)"),
            (le(&[0]), "CAST(x'0000' AS TEXT)"),
            (vec![0x61], "CAST(x'61' AS TEXT)"),
        ];
        for (bytes, literal) in cases {
            assert_eq!(written(Encoding::Utf16le, Cell::Text(&bytes)), literal);
        }
        assert_eq!(written(Encoding::Utf16be, Cell::Text(&[0, 0x61])), "'a'");
    }

    #[test]
    fn a_character_may_be_cut_by_a_piece_but_not_by_the_end() {
        let writer = LiteralWriter::new(Encoding::Utf8, false, false);
        let text = "aé".as_bytes();
        assert_eq!(writer.plain_up_to(text, true), Some(3));
        assert_eq!(writer.plain_up_to(&text[..2], false), Some(1));
        assert_eq!(writer.plain_up_to(&text[..2], true), None);
        assert_eq!(writer.plain_up_to(b"a\xffb", false), None);
        assert_eq!(writer.plain_up_to(b"a\r", false), None);
    }
}
