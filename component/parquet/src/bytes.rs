//! Short bytes, copied and compared without a call: WebAssembly has none that is fast for few of them.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Beyond this, a call is worth it.
const SHORT: usize = 64;

/// Appends bytes.
#[inline(always)]
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > SHORT {
        return to.extend_from_slice(bytes);
    }
    let (words, rest) = bytes.as_chunks::<8>();
    to.reserve(bytes.len());
    for word in words {
        to.extend_from_slice(word);
    }
    let (fours, rest) = rest.as_chunks::<4>();
    for four in fours {
        to.extend_from_slice(four);
    }
    for byte in rest {
        to.push(*byte);
    }
}

/// Whether two are the same.
#[inline(always)]
pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((ones, one), (others, other)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    ones.iter().zip(others).all(|(one, other)| word(one) == word(other))
        && one.iter().zip(other).all(|(one, other)| one == other)
}

/// The first bytes as a number, which is in the same order. Those that begin with the same eight have the same.
#[inline(always)]
pub(crate) fn prefix(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            // Shorter ones come first, so what is missing is like zeros.
            if bytes.is_empty() { 0 } else { number << (64 - 8 * bytes.len()) }
        }
    }
}

/// The order of two, of which the prefixes are known.
#[inline(always)]
pub(crate) fn order(one: (u64, &[u8]), other: (u64, &[u8])) -> Ordering {
    one.0.cmp(&other.0).then_with(|| one.1.cmp(other.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_they_were_and_in_their_order() {
        let whole: Vec<u8> = (0..100).map(|byte| byte % 5).collect();
        let mut all = Vec::new();
        for length in 0..100 {
            let bytes = &whole[..length];
            let mut to = Vec::from([9]);
            append(&mut to, bytes);
            assert_eq!(to, [&[9], bytes].concat());
            all.push(bytes.to_vec());
            all.push([bytes, &[0]].concat());
            all.push([bytes, &[255]].concat());
        }
        for one in &all {
            for other in &all {
                assert_eq!(are_equal(one, other), one == other);
                let found = order((prefix(one), one), (prefix(other), other));
                assert_eq!(found, one.cmp(other), "{one:?} {other:?}");
            }
        }
    }
}
