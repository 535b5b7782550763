//! The table at the end of zstd's seekable format: the sizes of all frames, in a frame that decoders skip.
//!
//! Source: "Zstandard Seekable Format", version 0.1.0, in the zstd repository.

/// The magic number of the skippable frame that holds the table.
pub const SKIPPABLE_MAGIC: [u8; 4] = 0x184D_2A5E_u32.to_le_bytes();

/// The last bytes of the table.
const SEEKABLE_MAGIC: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();

/// The bytes of the table behind its entries: the number of frames, the descriptor, the magic number.
const FOOTER: usize = 9;

/// The flag in the descriptor: each entry has a checksum.
const HAS_CHECKSUMS: u8 = 0x80;

/// The most frames that a table may have.
const MAX_FRAMES: usize = 0x800_0000;

/// A frame's size, compressed and not, in bytes.
pub type FrameSizes = (u32, u32);

/// The skippable frame with the table of these frames; none: there are more than a table may have.
pub(crate) fn seek_table(frames: impl ExactSizeIterator<Item = FrameSizes>) -> Option<Vec<u8>> {
    let count = frames.len();
    if count > MAX_FRAMES {
        return None;
    }
    let size = u32::try_from(count * 8 + FOOTER).ok()?;
    let mut table = Vec::with_capacity(8 + size as usize);
    table.extend_from_slice(&SKIPPABLE_MAGIC);
    table.extend_from_slice(&size.to_le_bytes());
    for (compressed, decompressed) in frames {
        table.extend_from_slice(&compressed.to_le_bytes());
        table.extend_from_slice(&decompressed.to_le_bytes());
    }
    table.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    table.push(0);
    table.extend_from_slice(&SEEKABLE_MAGIC);
    Some(table)
}

/// The largest content that a table of so many frames can have, in bytes.
pub fn largest_content(frames: usize) -> usize {
    frames * 12 + FOOTER
}

/// Whether the content of a skippable frame is the table of these frames.
pub fn is_table_of(content: &[u8], frames: &[FrameSizes]) -> bool {
    let Some((entries, footer)) = content.len().checked_sub(FOOTER).map(|at| content.split_at(at))
    else {
        return false;
    };
    let (count, rest) = footer.split_at(4);
    let [descriptor, magic @ ..] = rest else { return false };
    let entry = if descriptor & HAS_CHECKSUMS == 0 { 8 } else { 12 };
    let expected = |(compressed, decompressed): &FrameSizes| {
        [compressed.to_le_bytes(), decompressed.to_le_bytes()].concat()
    };
    magic == SEEKABLE_MAGIC
        && count == (frames.len() as u32).to_le_bytes()
        && entries.len() == frames.len() * entry
        && entries
            .chunks(entry)
            .zip(frames)
            .all(|(entry, frame)| entry.starts_with(&expected(frame)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_any_other_byte_is_another() {
        let frames = [(100, 1000), (90, 1000), (7, 3)];
        let table = seek_table(frames.into_iter()).unwrap();
        let content = &table[8..];
        assert_eq!(content.len() as u32, u32::from_le_bytes(table[4..8].try_into().unwrap()));
        assert!(is_table_of(content, &frames) && content.len() <= largest_content(3));
        assert!(!is_table_of(content, &frames[..2]));
        // But for the descriptor's unused bits.
        for at in (0..content.len()).filter(|at| *at != content.len() - 5) {
            let mut altered = content.to_vec();
            altered[at] ^= 1;
            assert!(!is_table_of(&altered, &frames), "{at}");
        }
    }
}
