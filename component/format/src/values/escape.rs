//! Text that is copied with some of its bytes escaped, and looked at on the way.

use alloc::vec::Vec;

use wide::u8x16;

/// Bytes of text that are checked and copied at a time.
const CHUNK: usize = 16;

/// A way of escaping, and what it remembers of the text.
pub trait Escape: Default {
    /// Which of these bytes are escaped.
    fn escaped(chunk: u8x16) -> u8x16;

    /// Looks at all bytes of the text, some of them more than once, and at spaces behind it.
    fn look_at(&mut self, chunk: u8x16);

    /// Escapes the byte that has just been appended.
    fn escape(to: &mut Vec<u8>, byte: u8);
}

/// Appends text with what has to be escaped, and gives what has been seen. Text is checked and copied in one pass, in
/// chunks of known length: a copy of unknown length is a call in WebAssembly.
#[inline(always)]
pub fn write_escaped<E: Escape>(to: &mut Vec<u8>, text: &[u8]) -> E {
    to.reserve(2 * text.len() + CHUNK);
    let mut seen = E::default();
    let mut rest = text;
    while !rest.is_empty() {
        let chunk = rest.first_chunk().copied().unwrap_or_else(|| padded(rest));
        let bytes = u8x16::from(chunk);
        seen.look_at(bytes);
        let escaped = E::escaped(bytes).to_bitmask();
        // Up to a byte to escape and with it, or all of it; what is copied beyond is taken back.
        let length = rest.len().min(CHUNK).min(escaped.trailing_zeros() as usize + 1);
        to.extend_from_slice(&chunk);
        to.truncate(to.len() - (CHUNK - length));
        if escaped != 0 {
            E::escape(to, rest[length - 1]);
        }
        rest = &rest[length..];
    }
    seen
}

/// The last bytes of a text, fewer than a chunk, padded with spaces: by words that may overlap.
#[inline(always)]
fn padded(rest: &[u8]) -> [u8; CHUNK] {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    // Words of which only the lower bytes count. A shift by all 64 bits would leave a word as it is.
    let filled = |word: u64, bytes: usize| match bytes {
        0 => SPACES,
        _ => word | SPACES.checked_shl(8 * bytes as u32).unwrap_or(0),
    };
    let length = rest.len();
    let (lower, upper) = if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk())
    {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        let upper = last.checked_shr(8 * (CHUNK - length) as u32).unwrap_or(0);
        (first, filled(upper, length - 8))
    } else if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        let lower = u64::from(first) | (u64::from(last) << (8 * (length - 4)));
        (filled(lower, length), SPACES)
    } else {
        let byte = |at: usize| u64::from(rest.get(at).copied().unwrap_or(0)) << (8 * at);
        (filled(byte(0) | byte(1) | byte(2), length), SPACES)
    };
    let mut chunk = [0; CHUNK];
    let (words, _) = chunk.as_chunks_mut::<8>();
    words[0] = lower.to_le_bytes();
    words[1] = upper.to_le_bytes();
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_up_is_the_text_and_spaces() {
        let text = b"abcdefghijklmno";
        for length in 0..text.len() {
            let mut expected = [b' '; CHUNK];
            expected[..length].copy_from_slice(&text[..length]);
            assert_eq!(padded(&text[..length]), expected);
        }
    }
}
