//! The least and the greatest value of a column chunk, by which readers leave row groups out.

use alloc::vec::Vec;

use crate::bytes::{order, prefix};
use crate::types::Physical;

/// Longer values are not given: they would make the footer long.
const LONGEST: usize = 64;

/// The range of the values so far.
pub(crate) enum Range {
    Empty,
    Integers(i64, i64),
    Reals(f64, f64),
    /// Each with its prefix.
    Bytes((u64, Vec<u8>), (u64, Vec<u8>)),
    /// One of the values is too long to be an end of it.
    Unknown,
}

impl Range {
    /// Takes in an encoded value.
    #[inline]
    pub(crate) fn add(&mut self, physical: Physical, encoded: &[u8]) {
        match (physical, encoded.first_chunk()) {
            (Physical::Int64, Some(bytes)) => self.add_integer(i64::from_le_bytes(*bytes)),
            (Physical::Double, Some(bytes)) => self.add_real(f64::from_le_bytes(*bytes)),
            // Behind its length.
            _ => self.add_bytes(encoded.get(4..).unwrap_or_default()),
        }
    }

    #[inline]
    fn add_integer(&mut self, value: i64) {
        match self {
            Self::Integers(least, greatest) => {
                *least = (*least).min(value);
                *greatest = (*greatest).max(value);
            }
            _ => *self = Self::Integers(value, value),
        }
    }

    #[inline]
    fn add_real(&mut self, value: f64) {
        match self {
            Self::Reals(least, greatest) => {
                *least = least.min(value);
                *greatest = greatest.max(value);
            }
            _ => *self = Self::Reals(value, value),
        }
    }

    #[inline]
    fn add_bytes(&mut self, value: &[u8]) {
        match self {
            Self::Unknown => {}
            _ if value.len() > LONGEST => *self = Self::Unknown,
            Self::Bytes(least, greatest) => {
                let found = prefix(value);
                if order((found, value), (least.0, &least.1)).is_lt() {
                    *least = (found, value.to_vec());
                } else if order((found, value), (greatest.0, &greatest.1)).is_gt() {
                    *greatest = (found, value.to_vec());
                }
            }
            _ => {
                let both = (prefix(value), value.to_vec());
                *self = Self::Bytes(both.clone(), both);
            }
        }
    }

    /// The two ends as Parquet's statistics have them.
    pub(crate) fn ends(self) -> Option<(Vec<u8>, Vec<u8>)> {
        match self {
            Self::Empty | Self::Unknown => None,
            Self::Integers(least, greatest) => {
                Some((least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec()))
            }
            Self::Reals(least, greatest) => {
                // Zero of either sign is within the range, whichever was met.
                let least = if least == 0.0 { -0.0 } else { least };
                let greatest = if greatest == 0.0 { 0.0 } else { greatest };
                Some((least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec()))
            }
            Self::Bytes((_, least), (_, greatest)) => Some((least, greatest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(physical: Physical, values: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut range = Range::Empty;
        for value in values {
            range.add(physical, value);
        }
        range.ends()
    }

    #[test]
    fn the_ends_are_the_least_and_the_greatest() {
        let [least, middle, greatest] = [-5_i64, 3, i64::MAX].map(i64::to_le_bytes);
        let found = ends(Physical::Int64, &[&middle, &greatest, &least]);
        assert_eq!(found, Some((least.to_vec(), greatest.to_vec())));
        // Unsigned, whatever the length.
        let texts: [&[u8]; 4] = [b"\x01\0\0\0a", b"\x01\0\0\0\xff", b"\x02\0\0\0ab", b"\0\0\0\0"];
        assert_eq!(ends(Physical::Bytes, &texts), Some((b"".to_vec(), b"\xff".to_vec())));
        assert_eq!(ends(Physical::Double, &[]), None);
        let long = [b'a'; 69];
        assert_eq!(ends(Physical::Bytes, &[b"\x01\0\0\0a", &long, b"\x01\0\0\0b"]), None);
    }

    #[test]
    fn zeros_of_either_sign_are_within() {
        let both = Some(((-0.0_f64).to_le_bytes().to_vec(), 0.0_f64.to_le_bytes().to_vec()));
        for zero in [0.0_f64, -0.0] {
            assert_eq!(ends(Physical::Double, &[&zero.to_le_bytes()]), both);
        }
    }
}
