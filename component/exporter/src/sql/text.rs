//! Text literals. A literal holds its text as it is, line breaks too, with quotes doubled; what the
//! stock `sqlite3` program would not read back the same is told apart here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a literal of a text has to look after.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    /// Nothing.
    Plain,
    /// Quotes.
    Quotes,
    /// Carriage returns: the `sqlite3` program drops one before a line's end when it reads a script.
    Returns,
    /// A NUL, at which the program ends a line and SQLite a statement, or bytes that are not UTF-8.
    Undecodable,
}

/// Finds out in one go over the text.
pub(super) fn shape(text: &[u8]) -> Shape {
    let marks = marks(text);
    if marks.nul || (marks.high && core::str::from_utf8(text).is_err()) {
        Shape::Undecodable
    } else if marks.carriage_return {
        Shape::Returns
    } else if marks.quote {
        Shape::Quotes
    } else {
        Shape::Plain
    }
}

struct Marks {
    nul: bool,
    carriage_return: bool,
    quote: bool,
    high: bool,
}

/// Looks at eight bytes at a time: most text holds none of the marks.
fn marks(text: &[u8]) -> Marks {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Has its high bit set in the byte that is zero, and perhaps in those above it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (chunks, rest) = text.as_chunks::<8>();
    let (mut nul, mut carriage_return, mut quote, mut high) = (0, 0, 0, 0);
    let mut look = |word: u64| {
        nul |= zero(word);
        carriage_return |= zero(word ^ (ONES * b'\r' as u64));
        quote |= zero(word ^ (ONES * b'\'' as u64));
        high |= word;
    };
    for chunk in chunks {
        look(u64::from_le_bytes(*chunk));
    }
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    look(u64::from_le_bytes(last));
    Marks {
        nul: nul & HIGH != 0,
        carriage_return: carriage_return & HIGH != 0,
        quote: quote & HIGH != 0,
        high: high & HIGH != 0,
    }
}

/// Appends a text literal of a name or of schema text, which hold no NUL.
pub(super) fn write_literal(to: &mut Vec<u8>, text: &[u8]) {
    if marks(text).carriage_return {
        write_without_returns(to, text);
    } else {
        to.push(b'\'');
        write_quoted(to, text);
        to.push(b'\'');
    }
}

/// Appends text with its quotes doubled.
pub(super) fn write_quoted(to: &mut Vec<u8>, text: &[u8]) {
    let mut written = 0;
    for quote in memchr::memchr_iter(b'\'', text) {
        to.extend_from_slice(&text[written..=quote]);
        to.push(b'\'');
        written = quote + 1;
    }
    to.extend_from_slice(&text[written..]);
}

/// Appends text with a marker for each carriage return, inside a `replace()` that puts them back.
pub(super) fn write_without_returns(to: &mut Vec<u8>, text: &[u8]) {
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

/// `\r`, or `\r0`, `\r1` … where the text itself holds that. None of them overlaps with itself, so
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

    #[test]
    fn marks_are_found_at_every_place() {
        for length in 1..40 {
            for at in 0..length {
                for (byte, expected) in [
                    (b'\'', Shape::Quotes),
                    (b'\r', Shape::Returns),
                    (0, Shape::Undecodable),
                    (0xc3, Shape::Undecodable),
                    (b'&', Shape::Plain),
                    (0x0c, Shape::Plain),
                    (0x01, Shape::Plain),
                ] {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(shape(&text), expected, "{byte} at {at} of {length}");
                }
            }
        }
        assert_eq!(shape("grüße, 世界".as_bytes()), Shape::Plain);
    }

    #[test]
    fn a_marker_is_not_in_the_text() {
        assert_eq!(unused_marker(b"a\rb"), "\\r");
        assert_eq!(unused_marker(b"\\r"), "\\r0.");
        assert_eq!(unused_marker(b"\\r \\r0. \\r1."), "\\r2.");
    }
}
