//! Floats, as text that every SQLite reads back to the same bits.
//!
//! SQLite's way of reading decimal digits has changed several times (x87 long doubles up to 3.42, pairs of
//! doubles from 3.43, wider integers since), and no version rounds correctly in every case: the shortest
//! digits of a float may lie so near the middle between two floats that a reader gets the wrong one. So the
//! shortest are written only where they are clear of the middle. Otherwise 18 digits are, which lie so close
//! to the float that a reader may err by a hundred times its own error. Far from 1 even those are misread
//! (measured: by 3.47 and 3.49, one in six above 1e117 and below 1e-82): there the number is written as an
//! exact product or quotient.

use alloc::format;
use alloc::vec::Vec;

use crate::values::{decimal, parts, write_plain, write_unsigned};

/// Within these bounds every version of SQLite reads digits correctly that are clear of the middle.
const DECIMALS: core::ops::Range<f64> = 1e-80..1e115;

/// Appends a float. It always holds a point, an exponent or a division by such, so that it
/// is not taken for an integer. NaN, which SQLite can't store, is NULL.
pub(super) fn write_real(to: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return to.extend_from_slice(b"NULL");
    }
    if value.is_sign_negative() {
        to.push(b'-');
    }
    let value = value.abs();
    if write_plain(to, value) {
        return;
    }
    if value.is_infinite() {
        to.extend_from_slice(b"9e999");
    } else if !DECIMALS.contains(&value) {
        write_exactly(to, value);
    } else {
        let mut buffer = zmij::Buffer::new();
        let shortest = buffer.format_finite(value);
        if is_clear(value, shortest) {
            to.extend_from_slice(shortest.as_bytes());
        } else {
            to.extend_from_slice(format!("{value:.17e}").as_bytes());
        }
    }
}

/// An integer multiplied or divided by powers of two: each step is exact, and the last one gives the float.
fn write_exactly(to: &mut Vec<u8>, value: f64) {
    let (mantissa, exponent) = parts(value);
    write_unsigned(to, mantissa);
    let mut left = exponent.unsigned_abs();
    while left > 0 {
        let step = left.min(62);
        to.push(if exponent < 0 { b'/' } else { b'*' });
        write_unsigned(to, 1 << step);
        to.extend_from_slice(b".0");
        left -= step;
    }
}

/// The powers of ten that are floats.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Whether the decimal `digits`, which mean the positive float `value`, lie clear of the middle between it
/// and its neighbours: no further off the value than 127/128 of the way. A reader that rounds to 64 bits
/// on its way errs by 1/2048 of it. False where it can't be told.
fn is_clear(value: f64, digits: &str) -> bool {
    let (significand, ten) = decimal(digits);
    let Some(&power) = POWERS_OF_TEN.get(ten.unsigned_abs() as usize) else { return false };
    if value > 1e280 {
        return false;
    }
    // The significand as the sum of two floats.
    let low = (significand & 0x7ff) as f64;
    let high = (significand & !0x7ff) as f64;
    // value − significand × 10^ten, on the scale of the larger power. Products are held as a float and its
    // error; what the subtractions lose is far below the margin.
    let (off, scale) = if ten < 0 {
        let (product, error) = exact_product(value, power);
        (((product - high) + error) - low, power)
    } else {
        let (product, error) = exact_product(high, power);
        (((value - product) - error) - low * power, 1.0)
    };
    let (mantissa, two) = parts(value);
    // Half the distance to the next float; below a power of two that is half as large.
    let half = f64::from_bits(((two + 1023 - 1) as u64) << 52);
    let half = if mantissa == 1 << 52 { half / 2.0 } else { half };
    off.abs() <= half * scale * (127.0 / 128.0)
}

/// The product as a float and what it lacks to be exact (Dekker's method; both factors below 2^990).
fn exact_product(one: f64, other: f64) -> (f64, f64) {
    let split = |value: f64| {
        let scaled = value * 134_217_729.0;
        let high = scaled - (scaled - value);
        (high, value - high)
    };
    let product = one * other;
    let ((one_high, one_low), (other_high, other_low)) = (split(one), split(other));
    let error = one_high * other_high - product;
    let error = error + one_high * other_low + one_low * other_high;
    (product, error + one_low * other_low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut to = Vec::new();
        write_real(&mut to, value);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn the_shortest_digits_are_written_where_they_are_clear() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (f64::INFINITY, "9e999"),
            (f64::NEG_INFINITY, "-9e999"),
            (f64::NAN, "NULL"),
        ] {
            assert_eq!(written(value), text);
        }
        assert!(written(5e-324).starts_with("1/4611686018427387904.0/"));
    }

    #[test]
    fn every_float_is_a_real_and_means_itself() {
        let mut bits: u64 = 1;
        for _ in 0..200_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            let text = written(value);
            if value.is_finite() && !text.contains(['/', '*']) {
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits, "{text}");
                assert!(text.contains(['.', 'e']), "{text}");
            }
        }
    }

    #[test]
    fn digits_near_the_middle_are_not_clear() {
        // The next float is 2 further on, so the middle is at …995.
        let value = 9_007_199_254_740_994.0;
        for (digits, clear) in [
            ("9007199254740994", true),
            ("9007199254740994.0", true),
            ("9007199254740994.9", true),
            ("9007199254740993.1", true),
            ("9007199254740994.999", false),
            ("9007199254740993.0", false),
            ("9007199254740995", false),
            ("900719925474099e1", false),
        ] {
            assert_eq!(is_clear(value, digits), clear, "{digits}");
        }
        // Below a power of two the floats lie twice as close.
        assert!(is_clear(9_007_199_254_740_992.0, "9007199254740991.6"));
        assert!(!is_clear(9_007_199_254_740_992.0, "9007199254740991.501"));
        // 10^22 is a float, and 10^23 lies close to the middle of two.
        assert!(is_clear(1e22, "1e22"));
        assert!(is_clear(1.5e17, "150000000000000000"));
        assert!(!is_clear(1e23, "1e23"));
    }
}
