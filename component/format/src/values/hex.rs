//! Bytes as hexadecimal digits.

use alloc::vec::Vec;

use wide::u8x16;

/// Bytes that are converted at a time.
const CHUNK: usize = 16;

/// Appends two digits for each byte.
pub fn write_hex(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(2 * bytes.len().next_multiple_of(CHUNK));
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    for chunk in chunks {
        write_chunk(to, *chunk);
    }
    if !rest.is_empty() {
        let mut last = [0; CHUNK];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        write_chunk(to, last);
        to.truncate(to.len() - 2 * (CHUNK - rest.len()));
    }
}

#[inline(always)]
fn write_chunk(to: &mut Vec<u8>, chunk: [u8; CHUNK]) {
    let bytes = u8x16::from(chunk);
    let upper = digits(bytes.unbounded_shr_scalar(4));
    let lower = digits(bytes & u8x16::splat(0xf));
    to.extend_from_slice(&u8x16::unpack_low(upper, lower).to_array());
    to.extend_from_slice(&u8x16::unpack_high(upper, lower).to_array());
}

/// The digits of numbers below 16.
#[inline(always)]
fn digits(numbers: u8x16) -> u8x16 {
    const FROM_DIGITS_TO_LETTERS: u8 = b'a' - b'9' - 1;
    let are_letters = numbers.simd_eq(numbers.max(u8x16::splat(10)));
    numbers + u8x16::splat(b'0') + (are_letters & u8x16::splat(FROM_DIGITS_TO_LETTERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_two_digits_each() {
        for length in 0..70 {
            let bytes: Vec<u8> =
                (0..length).map(|byte| (byte as u8).wrapping_mul(7).wrapping_add(250)).collect();
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut to = Vec::new();
            write_hex(&mut to, &bytes);
            assert_eq!(String::from_utf8(to).unwrap(), expected);
        }
        let all: Vec<u8> = (0..=255).collect();
        let mut to = Vec::new();
        write_hex(&mut to, &all);
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(String::from_utf8(to).unwrap(), expected);
    }
}
