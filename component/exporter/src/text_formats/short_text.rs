//! Text that stands in every row: commas, names.

use alloc::vec::Vec;

const CHUNK: usize = 16;

/// A short text, padded to whole chunks: a copy of unknown length is a call in WebAssembly.
pub(super) struct ShortText {
    chunks: Vec<[u8; CHUNK]>,
    length: usize,
}

impl ShortText {
    pub(super) fn new(text: &[u8]) -> Self {
        let padded = |piece: &[u8]| {
            let mut chunk = [0; CHUNK];
            for (to, from) in chunk.iter_mut().zip(piece) {
                *to = *from;
            }
            chunk
        };
        Self { chunks: text.chunks(CHUNK).map(padded).collect(), length: text.len() }
    }

    #[inline(always)]
    pub(super) fn append_to(&self, to: &mut Vec<u8>) {
        let end = to.len() + self.length;
        for chunk in &self.chunks {
            to.extend_from_slice(chunk);
        }
        to.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_appended_as_it_is() {
        for length in 0..50 {
            let text = vec![b'x'; length];
            let mut to = b"before".to_vec();
            ShortText::new(&text).append_to(&mut to);
            assert_eq!(to, [b"before", &text[..]].concat());
        }
    }
}
