//! Values of JSON (RFC 8259). No two different values are written the same: what JSON has no value for is an object of one
//! member, which names what it is.

use alloc::string::String;
use alloc::vec::Vec;

use wide::u8x16;

use super::settings::{Blobs, Settings};
use super::state::Form;
use super::syntax::{Seen, Syntax};
use crate::values::{Escape, write_escaped};

pub(super) struct Json {
    blobs: Blobs,
}

impl Json {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { blobs: settings.blobs }
    }
}

impl Syntax for Json {
    #[inline(always)]
    fn write_null(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(b"null");
    }

    fn infinity(&self, is_negative: bool) -> &'static [u8] {
        if is_negative { br#"{"real":"-Infinity"}"# } else { br#"{"real":"Infinity"}"# }
    }

    fn keeps_undecodable(&self) -> bool {
        true
    }

    #[inline(always)]
    fn delimiters(&self, form: Form) -> (&'static [u8], &'static [u8]) {
        match form {
            Form::Undecodable => (br#"{"text":""#, br#""}"#),
            Form::Blob if self.blobs == Blobs::Tagged => (br#"{"blob":""#, br#""}"#),
            Form::Text | Form::Blob => (b"\"", b"\""),
        }
    }

    #[inline(always)]
    fn write_escaped(&self, to: &mut Vec<u8>, text: &[u8]) -> Seen {
        let Characters { high } = write_escaped(to, text);
        // One that is escaped troubles no reader.
        Seen { nul: false, high: high.any() }
    }

    #[inline(always)]
    fn blobs(&self) -> Blobs {
        self.blobs
    }
}

/// A name as a string. What of it is not UTF-8 becomes U+FFFD.
pub(super) fn name(name: &[u8]) -> Vec<u8> {
    let mut to = b"\"".to_vec();
    write_escaped::<Characters>(&mut to, String::from_utf8_lossy(name).as_bytes());
    to.push(b'"');
    to
}

/// Quotes, backslashes and control characters are escaped.
#[derive(Default)]
struct Characters {
    /// All bytes, of which the highest bit counts.
    high: u8x16,
}

impl Escape for Characters {
    #[inline(always)]
    fn escaped(chunk: u8x16) -> u8x16 {
        chunk.simd_eq(u8x16::splat(b'"'))
            | chunk.simd_eq(u8x16::splat(b'\\'))
            | chunk.simd_eq(chunk.min(u8x16::splat(0x1f)))
    }

    #[inline(always)]
    fn look_at(&mut self, chunk: u8x16) {
        self.high |= chunk;
    }

    #[inline(always)]
    fn escape(to: &mut Vec<u8>, byte: u8) {
        to.pop();
        let letter = match byte {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 => return control_character(to, byte),
            quote => quote,
        };
        to.extend_from_slice(&[b'\\', letter]);
    }
}

#[cold]
fn control_character(to: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    to.extend_from_slice(b"\\u00");
    to.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_back_wherever_something_is_escaped() {
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..0x80 {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let written = name(&text);
                    let read: String = serde_json::from_slice(&written).unwrap();
                    assert_eq!(read.as_bytes(), text);
                }
            }
        }
        let odd = "\"\\/\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{2028}é\u{1f600}";
        let read: String = serde_json::from_slice(&name(odd.as_bytes())).unwrap();
        assert_eq!(read, odd);
        assert_eq!(name(b"a\x01\xff"), "\"a\\u0001\u{fffd}\"".as_bytes());
    }
}
