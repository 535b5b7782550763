//! Text literals. A literal holds its text as it is, line breaks included, with quotes doubled. Text that the stock
//! `sqlite3` program would not read back the same is found here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use wide::u8x16;

use crate::values::{Escape, write_escaped};

/// What may keep a text from being written as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Marks {
    /// A NUL: the `sqlite3` program ends a line at it, and SQLite a statement.
    pub(super) nul: bool,
    /// A carriage return: the program drops one before a line's end when it reads a script.
    pub(super) carriage_return: bool,
    /// Bytes beyond ASCII, which may be no UTF-8.
    high: bool,
}

impl Marks {
    /// Whether the text, whose marks these are, can't be written as a literal.
    #[inline]
    pub(super) fn undecodable(self, text: &[u8]) -> bool {
        self.nul || (self.high && core::str::from_utf8(text).is_err())
    }
}

/// Appends text with its quotes doubled, and tells what else it holds.
pub(super) fn write_quoted(to: &mut Vec<u8>, text: &[u8]) -> Marks {
    write_escaped::<Quotes>(to, text).marks()
}

/// Quotes are doubled. What has been found at each byte of a chunk, over all chunks, without a branch.
#[derive(Default)]
struct Quotes {
    nul: u8x16,
    carriage_return: u8x16,
    /// All bytes, of which the highest bit counts.
    high: u8x16,
}

impl Escape for Quotes {
    #[inline(always)]
    fn escaped(chunk: u8x16) -> u8x16 {
        chunk.simd_eq(u8x16::splat(b'\''))
    }

    #[inline(always)]
    fn look_at(&mut self, chunk: u8x16) {
        self.nul |= chunk.simd_eq(u8x16::ZERO);
        self.carriage_return |= chunk.simd_eq(u8x16::splat(b'\r'));
        self.high |= chunk;
    }

    #[inline(always)]
    fn escape(to: &mut Vec<u8>, quote: u8) {
        to.push(quote);
    }
}

impl Quotes {
    #[inline(always)]
    fn marks(&self) -> Marks {
        Marks {
            nul: self.nul.any(),
            carriage_return: self.carriage_return.any(),
            high: self.high.any(),
        }
    }
}

/// Appends a text literal of a name or of schema text, which hold no NUL.
pub(super) fn write_text_literal(to: &mut Vec<u8>, text: &[u8]) {
    let start = to.len();
    to.push(b'\'');
    let marks = write_quoted(to, text);
    to.push(b'\'');
    if marks.carriage_return {
        to.truncate(start);
        write_without_carriage_returns(to, text);
    }
}

/// Appends text with a marker for each carriage return, inside a `replace()` that puts them back.
pub(super) fn write_without_carriage_returns(to: &mut Vec<u8>, text: &[u8]) {
    let marker = unused_marker(text);
    to.extend_from_slice(b"replace('");
    for (index, line) in text.split(|byte| *byte == b'\r').enumerate() {
        if index > 0 {
            to.extend_from_slice(marker.as_bytes());
        }
        write_quoted(to, line);
    }
    to.extend_from_slice(b"','");
    to.extend_from_slice(marker.as_bytes());
    to.extend_from_slice(b"',char(13))");
}

/// `\r`, or `\r0.`, `\r1.` … where the text itself holds that. None of them overlaps with itself, so
/// `replace()` finds each where it was put and nowhere else.
fn unused_marker(text: &[u8]) -> String {
    let unused = |marker: &String| !text.windows(marker.len()).any(|at| at == marker.as_bytes());
    let first = String::from("\\r");
    if unused(&first) {
        return first;
    }
    (0u32..).map(|number| format!("\\r{number}.")).find(unused).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &[u8]) -> (Vec<u8>, Marks) {
        let mut to = b"begin ".to_vec();
        let marks = write_quoted(&mut to, text);
        (to.split_off(6), marks)
    }

    #[test]
    fn marks_are_found_and_quotes_doubled_at_every_place() {
        for length in 1..70 {
            for at in 0..length {
                for byte in [b'\'', b'\r', 0, 0xc3, b'&', 0x0c, 0x01, 0x7f] {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let (written, marks) = quoted(&text);
                    let doubled = String::from_utf8_lossy(&text).replace('\'', "''");
                    assert_eq!(String::from_utf8_lossy(&written), doubled);
                    assert_eq!(marks.nul, byte == 0, "{byte} at {at} of {length}");
                    assert_eq!(marks.carriage_return, byte == b'\r', "{byte} at {at} of {length}");
                    assert_eq!(marks.undecodable(&text), matches!(byte, 0 | 0xc3));
                }
            }
        }
        let text = "grüße, 世界".as_bytes();
        assert!(!quoted(text).1.undecodable(text));
        assert_eq!(quoted(b"").0, b"");
        assert_eq!(quoted("'".repeat(50).as_bytes()).0, "'".repeat(100).as_bytes());
    }

    #[test]
    fn a_marker_is_not_in_the_text() {
        assert_eq!(unused_marker(b"a\rb"), "\\r");
        assert_eq!(unused_marker(b"\\r"), "\\r0.");
        assert_eq!(unused_marker(b"\\r \\r0. \\r1."), "\\r2.");
    }
}
