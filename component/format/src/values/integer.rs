//! Integers, as decimal digits: eight at a time, all at once in one word.
//!
//! A library writes digits to a buffer of its own, and a copy of unknown length from there is a call in
//! WebAssembly. These are written where they belong: narrow integers take a third of the time.

use alloc::vec::Vec;

const EIGHT_DIGITS: u64 = 100_000_000;

/// Appends an integer.
#[inline(always)]
pub fn write_integer(to: &mut Vec<u8>, value: i64) {
    if value < 0 {
        to.push(b'-');
    }
    write_unsigned(to, value.unsigned_abs());
}

/// Appends an integer that has no sign.
#[inline(always)]
pub fn write_unsigned(to: &mut Vec<u8>, value: u64) {
    if value < EIGHT_DIGITS {
        write_leading(to, value as u32);
    } else {
        write_long(to, value);
    }
}

#[inline(never)]
fn write_long(to: &mut Vec<u8>, value: u64) {
    let (rest, last) = (value / EIGHT_DIGITS, (value % EIGHT_DIGITS) as u32);
    if rest < EIGHT_DIGITS {
        write_leading(to, rest as u32);
    } else {
        // 2^64 has 20 digits.
        write_leading(to, (rest / EIGHT_DIGITS) as u32);
        to.extend_from_slice(&text(digits((rest % EIGHT_DIGITS) as u32)));
    }
    to.extend_from_slice(&text(digits(last)));
}

/// Appends a number below 10^8 without leading zeros.
#[inline(always)]
fn write_leading(to: &mut Vec<u8>, value: u32) {
    let digits = digits(value);
    let zeros = (digits.trailing_zeros() / 8).min(7);
    // A copy of known length, truncated.
    to.extend_from_slice(&text(digits >> (8 * zeros)));
    to.truncate(to.len() - zeros as usize);
}

/// A number below 10^8 as eight digits, the first in the lowest byte: split into halves, then quarters, then
/// eighths, each step for all of them at once by multiplication with a reciprocal.
#[inline]
fn digits(value: u32) -> u64 {
    let value = u64::from(value);
    let upper = (value * 3_518_437_209) >> 45;
    let halves = upper | ((value - 10_000 * upper) << 32);
    let upper = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = upper | ((halves - 100 * upper) << 16);
    let upper = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    upper | ((quarters - 10 * upper) << 8)
}

#[inline]
fn text(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: i64) -> String {
        let mut to = b"x".to_vec();
        write_integer(&mut to, value);
        String::from_utf8(to).unwrap().split_off(1)
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let mut values = vec![0, i64::MIN, i64::MAX];
        for exponent in 0..19 {
            let power = 10_i64.pow(exponent);
            values.extend([power - 1, power, power + 1, power.wrapping_mul(9), power / 7 * 3]);
        }
        let mut random: u64 = 5;
        for step in 0..400_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            values.push((random >> (step % 64)) as i64);
        }
        for value in values {
            assert_eq!(written(value), value.to_string());
            assert_eq!(written(value.wrapping_neg()), value.wrapping_neg().to_string());
        }
    }

    #[test]
    fn every_group_of_eight_digits_is_right() {
        for value in (0..100_000_000).step_by(37).chain([99_999_999, 9999, 10_000]) {
            let expected = format!("{value:08}");
            assert_eq!(text(digits(value)), expected.as_bytes(), "{value}");
        }
    }
}
