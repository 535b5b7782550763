//! Floats as decimal digits.

use alloc::vec::Vec;

use super::integer::write_unsigned;

/// From here on not every integer is a float.
const FIRST_GAP: f64 = 9_007_199_254_740_992.0;

/// Appends a positive float whose shortest digits are known without a search: a whole number, or one of hundredths. False:
/// it is another.
#[inline(always)]
pub fn write_plain(to: &mut Vec<u8>, value: f64) -> bool {
    let integer = value as u64;
    if value < FIRST_GAP && integer as f64 == value {
        write_unsigned(to, integer);
        to.extend_from_slice(b".0");
        return true;
    }
    let Some(hundredths) = hundredths(value) else { return false };
    write_unsigned(to, hundredths / 100);
    let digits = (hundredths % 100) as u8;
    let (tenth, hundredth) = (b'0' + digits / 10, b'0' + digits % 10);
    to.extend_from_slice(&[b'.', tenth, hundredth]);
    if hundredth == b'0' {
        to.pop();
    }
    true
}

/// Appends the shortest digits that read as this finite float and no other. They always hold a point or an exponent, so
/// that no reader takes them for an integer: `1.0`, `-0.0`, `1e+16`, `1.5e-07`.
#[inline(always)]
pub fn write_shortest(to: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        to.push(b'-');
    }
    let value = value.abs();
    if !write_plain(to, value) {
        search_shortest(to, value);
    }
}

#[inline(never)]
fn search_shortest(to: &mut Vec<u8>, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let (significand, mut exponent) = decimal(buffer.format_finite(value));
    let start = to.len();
    write_unsigned(to, significand);
    while to.len() > start + 1 && to.last() == Some(&b'0') {
        to.pop();
        exponent += 1;
    }
    let digits = (to.len() - start) as i32;
    // Digits before the point.
    let whole = digits + exponent;
    if !(-3..=16).contains(&whole) {
        if digits > 1 {
            to.insert(start + 1, b'.');
        }
        to.extend_from_slice(if whole > 0 { b"e+" } else { b"e-" });
        let power = (whole - 1).unsigned_abs();
        if power < 10 {
            to.push(b'0');
        }
        return write_unsigned(to, power.into());
    }
    if whole <= 0 {
        let zeros = b"0.000".iter().take(2 + whole.unsigned_abs() as usize);
        to.splice(start..start, zeros.copied());
    } else if whole >= digits {
        to.resize(start + whole as usize, b'0');
        to.extend_from_slice(b".0");
    } else {
        to.insert(start + whole as usize, b'.');
    }
}

/// The number of hundredths that reads as this positive float: prices, seconds, percentages. They are
/// frequent, and their digits are known without a search for the shortest.
///
/// In units of a hundredth of the last place the number is a whole number off the float; up to 49 of
/// them it is nearer than any other float's, and at least 1/50 of the way clear of the middle.
fn hundredths(value: f64) -> Option<u64> {
    const LARGEST: f64 = (1u64 << 46) as f64;
    if !(0.01..LARGEST).contains(&value) {
        return None;
    }
    let hundredths = (value * 100.0 + 0.5) as u64;
    // Within these bounds the exponent is -59 at least, and both products are below 2^60.
    let (mantissa, exponent) = parts(value);
    let off = (mantissa * 100).abs_diff(hundredths << -exponent);
    // Below a power of two the next float is half as far.
    let limit = if mantissa == 1 << 52 { 24 } else { 49 };
    (off <= limit).then_some(hundredths)
}

/// A positive float as mantissa × 2^exponent.
pub fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) as i32 {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

/// Digits, at most 17, with an optional point and exponent as integer × 10^exponent.
pub fn decimal(digits: &str) -> (u64, i32) {
    let mut significand: u64 = 0;
    let mut exponent = 0;
    let mut after_point = false;
    let mut bytes = digits.bytes();
    for byte in bytes.by_ref() {
        match byte {
            b'0'..=b'9' => {
                significand = significand.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                exponent -= i32::from(after_point);
            }
            b'.' => after_point = true,
            _ => break,
        }
    }
    let (mut written, mut negative) = (0, false);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => written = written * 10 + i32::from(byte - b'0'),
            _ => negative |= byte == b'-',
        }
    }
    (significand, exponent + if negative { -written } else { written })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut to = Vec::new();
        write_shortest(&mut to, value);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn the_shortest_digits_are_those_of_python() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.000_123, "0.000123"),
            (0.000_01, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (5e-324, "5e-324"),
            (123_456.789_1, "123456.7891"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.234_567_890_123_456_7e16, "1.2345678901234568e+16"),
            (1e22, "1e+22"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ] {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn every_float_means_itself_and_is_no_integer() {
        let mut bits: u64 = 1;
        for _ in 0..200_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let text = written(value);
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits, "{text}");
                assert!(text.contains(['.', 'e']), "{text}");
            }
        }
    }

    #[test]
    fn hundredths_are_written_as_the_shortest_digits_are() {
        let mut numbers: u64 = 7;
        for step in 0..300_000 {
            numbers = numbers
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = (numbers >> (11 + step % 53)) as f64 / 100.0;
            for value in [value, value.next_up(), value.next_down().abs()] {
                let shortest = zmij::Buffer::new().format(value).to_owned();
                assert!(hundredths(value).is_none() || written(value) == shortest, "{shortest}");
            }
        }
        for value in [0.01, 0.07, 0.29, 1.1, 99.99, 1234.5, 123_456_789.01] {
            assert!(hundredths(value).is_some(), "{value}");
        }
        assert_eq!(hundredths(0.125), None);
        assert_eq!(hundredths(1.005), None);
    }
}
