//! Snappy's raw format, as its description says: the only codec that every reader of Parquet has.
//!
//! The crate that has it needs `std`; of it only the compressor would be used, which is this file.

use alloc::vec::Vec;

use crate::thrift::write_varint;

/// Matches are looked for within blocks of so many bytes.
const BLOCK: usize = 64 * 1024;

/// Shorter blocks are not worth a search.
const SHORTEST: usize = 17;

/// At the end of a block, where reads of eight bytes would reach beyond it, there is no search.
const MARGIN: usize = 15;

const TABLE_BITS: u32 = 14;

/// A compressor, which keeps its table of positions.
pub(crate) struct Snappy {
    /// Where in the block four bytes of this hash were seen last.
    table: Vec<u16>,
}

impl Snappy {
    pub(crate) fn new() -> Self {
        Self { table: alloc::vec![0; 1 << TABLE_BITS] }
    }

    /// Appends what `bytes` compress to.
    pub(crate) fn compress(&mut self, to: &mut Vec<u8>, bytes: &[u8]) {
        write_varint(to, bytes.len() as u64);
        for block in bytes.chunks(BLOCK) {
            if block.len() < SHORTEST {
                write_literal(to, block);
            } else {
                self.compress_block(to, block);
            }
        }
    }

    fn compress_block(&mut self, to: &mut Vec<u8>, block: &[u8]) {
        let bits = usize::BITS - (block.len() - 1).leading_zeros();
        let bits = bits.clamp(8, TABLE_BITS);
        let table = &mut self.table[..1 << bits];
        table.fill(0);
        let shift = 32 - bits;
        let limit = block.len() - MARGIN;
        // What is not written yet begins here.
        let mut pending = 0;
        let mut at = 1;
        'blocks: while at < limit {
            // The longer there is no match, the fewer places are tried.
            let mut skip = 32;
            let mut candidate;
            loop {
                let next = at + (skip >> 5);
                skip += skip >> 5;
                if next > limit {
                    break 'blocks;
                }
                candidate = seen(table, hash(load32(block, at), shift), at);
                if load32(block, at) == load32(block, candidate) {
                    break;
                }
                at = next;
            }
            write_literal(to, &block[pending..at]);
            loop {
                let length = 4 + common(&block[candidate + 4..], &block[at + 4..]);
                write_copy(to, at - candidate, length);
                at += length;
                pending = at;
                if at >= limit {
                    break 'blocks;
                }
                seen(table, hash(load32(block, at - 1), shift), at - 1);
                candidate = seen(table, hash(load32(block, at), shift), at);
                if load32(block, at) != load32(block, candidate) {
                    at += 1;
                    break;
                }
            }
        }
        write_literal(to, &block[pending..]);
    }
}

/// Notes that a hash is at `at`, and gives where it was before.
#[inline(always)]
fn seen(table: &mut [u16], hash: usize, at: usize) -> usize {
    // The table has as many places as there are hashes.
    table.get_mut(hash).map_or(0, |place| core::mem::replace(place, at as u16)).into()
}

#[inline(always)]
fn hash(bytes: u32, shift: u32) -> usize {
    (bytes.wrapping_mul(0x1e35_a7bd) >> shift) as usize
}

#[inline(always)]
fn load32(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

/// How many bytes both begin with. The second one is the shorter.
#[inline(always)]
fn common(one: &[u8], other: &[u8]) -> usize {
    let (ones, _) = one.as_chunks::<8>();
    let (others, _) = other.as_chunks::<8>();
    let mut length = 0;
    for (one, other) in ones.iter().zip(others) {
        let differing = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differing != 0 {
            return length + differing.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let rest = one[length..].iter().zip(&other[length..]);
    length + rest.take_while(|(one, other)| one == other).count()
}

/// Bytes as they are, at most a block.
#[inline(always)]
fn write_literal(to: &mut Vec<u8>, bytes: &[u8]) {
    let Some(last) = bytes.len().checked_sub(1) else { return };
    if last < 60 {
        to.push((last as u8) << 2);
    } else if last < 256 {
        to.extend_from_slice(&[60 << 2, last as u8]);
    } else {
        to.extend_from_slice(&[61 << 2, last as u8, (last >> 8) as u8]);
    }
    to.extend_from_slice(bytes);
}

/// The bytes that were `offset` bytes before, at least four.
#[inline(always)]
fn write_copy(to: &mut Vec<u8>, offset: usize, mut length: usize) {
    let two = |length: usize| [(length as u8 - 1) << 2 | 2, offset as u8, (offset >> 8) as u8];
    // No copy is to be left with fewer than four bytes.
    while length >= 68 {
        to.extend_from_slice(&two(64));
        length -= 64;
    }
    if length > 64 {
        to.extend_from_slice(&two(60));
        length -= 60;
    }
    if length >= 12 || offset >= 2048 {
        to.extend_from_slice(&two(length));
    } else {
        let upper = (offset >> 8) as u8;
        to.extend_from_slice(&[upper << 5 | (length as u8 - 4) << 2 | 1, offset as u8]);
    }
}

/// The beginning of `length` bytes that follow as they are: a value that is never in memory whole.
pub(crate) fn stored(length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_varint(&mut bytes, length.into());
    bytes.push(63 << 2);
    bytes.extend_from_slice(&length.wrapping_sub(1).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thrift::read_varint;

    /// Decompresses, as the format's description says.
    fn decompress(mut from: &[u8]) -> Vec<u8> {
        let length = read_varint(&mut from).unwrap();
        let mut bytes = Vec::new();
        while let Some((tag, rest)) = from.split_first() {
            from = rest;
            let upper = usize::from(tag >> 2);
            let mut number = |bytes: usize| {
                let (number, rest) = from.split_at(bytes);
                from = rest;
                number.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte))
            };
            let (offset, length) = match tag & 3 {
                0 => {
                    let length = if upper < 60 { upper + 1 } else { number(upper - 59) + 1 };
                    let (literal, rest) = from.split_at(length);
                    bytes.extend_from_slice(literal);
                    from = rest;
                    continue;
                }
                1 => (usize::from(tag >> 5) << 8 | number(1), (upper & 7) + 4),
                2 => (number(2), upper + 1),
                _ => panic!("offsets of four bytes are not written"),
            };
            assert!(offset > 0 && offset <= bytes.len());
            for _ in 0..length {
                bytes.push(bytes[bytes.len() - offset]);
            }
        }
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut to = Vec::new();
        Snappy::new().compress(&mut to, bytes);
        to
    }

    #[test]
    fn what_is_compressed_is_decompressed() {
        let mut random = 1_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 24
        };
        let noise: Vec<u8> = (0..200_000).map(|_| next() as u8).collect();
        let few: Vec<u8> = (0..200_000).map(|_| (next() % 3) as u8).collect();
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(5000);
        for whole in [&noise[..], &few, text.as_bytes(), &[0; 200_000]] {
            for end in (0..300).chain([65_535, 65_536, 65_537, 65_550, 131_089, 200_000]) {
                let bytes = &whole[..end];
                assert!(decompress(&compressed(bytes)) == bytes, "{end} bytes");
            }
        }
        assert!(compressed(text.as_bytes()).len() < text.len() / 15);
        assert!(compressed(&noise).len() < noise.len() + noise.len() / 1000);
    }

    #[test]
    fn what_is_stored_is_decompressed() {
        let bytes = alloc::vec![7; 100_000];
        assert_eq!(decompress(&[stored(100_000), bytes.clone()].concat()), bytes);
    }
}
