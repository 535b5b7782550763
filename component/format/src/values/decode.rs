//! Text of any encoding, as UTF-8.

use alloc::borrow::Cow;
use alloc::string::String;

use super::utf16::{Converted, from_utf16};
use crate::pipe::Encoding;

/// The beginning of a text, decoded.
pub struct Decoded<'a> {
    /// In UTF-8.
    pub text: Cow<'a, str>,
    /// How many of the bytes given it was.
    pub bytes: usize,
    /// How many times something that is no character became U+FFFD.
    pub replaced: u64,
}

/// Decodes a piece of text. A character cut off at the end of a piece that is not the `last` is left for the next piece; so
/// the pieces of a text, each from where the one before ended, give what the whole gives.
pub fn decode(piece: &[u8], encoding: Encoding, last: bool) -> Decoded<'_> {
    if encoding != Encoding::Utf8 {
        let Converted { text, bytes, replaced } = from_utf16(piece, encoding, last);
        return Decoded { text: Cow::Owned(text), bytes, replaced };
    }
    let whole = match core::str::from_utf8(piece) {
        Ok(text) => {
            return Decoded { text: Cow::Borrowed(text), bytes: piece.len(), replaced: 0 };
        }
        Err(_) if last => piece,
        Err(_) => without_cut_character(piece),
    };
    let mut text = String::with_capacity(whole.len());
    let mut replaced = 0;
    for chunk in whole.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            replaced += 1;
        }
    }
    Decoded { text: Cow::Owned(text), bytes: whole.len(), replaced }
}

/// A piece without the beginning of a character at its end, which more bytes might complete.
fn without_cut_character(piece: &[u8]) -> &[u8] {
    // It has three bytes at most.
    for length in 1..=piece.len().min(3) {
        let (rest, end) = piece.split_at(piece.len() - length);
        let is_cut = core::str::from_utf8(end)
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        if is_cut {
            return rest;
        }
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_what_the_whole_gives_wherever_they_end() {
        let texts: [&[u8]; 6] = [
            b"plain",
            "a\u{e9}\u{4e16}\u{1f600}\0".as_bytes(),
            b"\xff\xc3\xc3\xa9\xe4\xb8\x41\xf0\x9f\x98\x41",
            b"\xf0\x9f\x98\x80\xf0\x9f\x98",
            b"\xed\xa0\x80\xf4\x90\x80\x80\x80",
            b"\xc3",
        ];
        for whole in texts {
            let expected = decode(whole, Encoding::Utf8, true);
            assert_eq!(expected.text, String::from_utf8_lossy(whole));
            assert_eq!(expected.bytes, whole.len());
            for end in 0..whole.len() {
                let first = decode(&whole[..end], Encoding::Utf8, false);
                let rest = decode(&whole[first.bytes..], Encoding::Utf8, true);
                assert_eq!(first.text.into_owned() + &rest.text, expected.text, "{whole:?}, {end}");
                assert_eq!(first.replaced + rest.replaced, expected.replaced, "{whole:?}, {end}");
            }
        }
    }
}
