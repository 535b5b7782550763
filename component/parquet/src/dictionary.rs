//! A column's distinct values, each with a number.

use alloc::vec::Vec;

use crate::bytes::{append, are_equal};

/// Distinct values in the order of their first appearance.
pub(crate) struct Dictionary {
    /// The values as Parquet's encoding PLAIN has them.
    plain: Vec<u8>,
    /// Where in `plain` each value begins, and where the last one ends.
    starts: Vec<u32>,
    /// By hash: the number of a value and one; 0: free. A power of two of them.
    slots: Vec<u32>,
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self { plain: Vec::new(), starts: Vec::from([0]), slots: alloc::vec![0; 64] }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// All values, encoded.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// A value, encoded.
    #[inline]
    pub(crate) fn value(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let range = self.starts.get(number).zip(self.starts.get(number + 1));
        let value = range.and_then(|(start, end)| self.plain.get(*start as usize..*end as usize));
        value.unwrap_or_default()
    }

    /// The number of an encoded value, and whether it is new.
    #[inline]
    pub(crate) fn number(&mut self, value: &[u8]) -> (u32, bool) {
        let mask = self.slots.len() - 1;
        let mut place = hash(value) & mask;
        loop {
            match self.slots.get(place).copied() {
                Some(taken) if taken > 0 => {
                    if are_equal(self.value(taken - 1), value) {
                        return (taken - 1, false);
                    }
                    place = (place + 1) & mask;
                }
                _ => break,
            }
        }
        let number = self.len() as u32;
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = number + 1;
        }
        append(&mut self.plain, value);
        self.starts.push(self.plain.len() as u32);
        if 2 * self.len() > self.slots.len() {
            self.grow();
        }
        (number, true)
    }

    fn grow(&mut self) {
        let size = 4 * self.slots.len();
        let mut slots = alloc::vec![0; size];
        for number in 0..self.len() as u32 {
            let mut place = hash(self.value(number)) & (size - 1);
            while slots.get(place).is_some_and(|taken| *taken > 0) {
                place = (place + 1) & (size - 1);
            }
            if let Some(slot) = slots.get_mut(place) {
                *slot = number + 1;
            }
        }
        self.slots = slots;
    }
}

/// A hash that is the same everywhere.
#[inline]
fn hash(bytes: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    hash = mix(hash, last);
    (hash >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number() {
        let mut dictionary = Dictionary::new();
        for round in 0..2 {
            for number in 0..5000_u32 {
                let value = alloc::format!("value {number}");
                assert_eq!(dictionary.number(value.as_bytes()), (number, round == 0));
                assert_eq!(dictionary.value(number), value.as_bytes());
            }
        }
        assert_eq!(dictionary.number(b""), (5000, true));
        assert_eq!(
            (dictionary.len(), dictionary.value(5000), dictionary.value(9999)),
            (5001, &b""[..], &b""[..])
        );
    }
}
