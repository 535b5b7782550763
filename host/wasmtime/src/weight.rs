//! The weight of rows: about how many bytes they come to as text. For progress only: it needs to know no
//! format, and is the same share of the whole in all of them, nearly.

use std::fmt::{self, Write};

use crate::rows::Batch;

/// The weight of NULL.
pub const NULL: u64 = 5;

/// The codes of text and blobs in a batch, and of the long ones.
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const LONG_BLOB: u8 = 7;

/// Of how many cells of a batch, and of how many floats, it is looked at what they are. The others are taken for
/// alike: looking at each would cost more than it tells.
const MAX_CELLS: usize = 1024;
const MAX_INTEGERS: usize = 64;
const MAX_REALS: usize = 16;

/// The weight of an integer: its digits.
pub fn integer(value: i64) -> u64 {
    let digits = u64::from(value.unsigned_abs().checked_ilog10().unwrap_or(0)) + 1;
    digits + u64::from(value < 0) + 1
}

/// The weight of a float: its shortest digits that are exact.
pub fn real(value: f64) -> u64 {
    struct Length(u64);

    impl Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len() as u64;
            Ok(())
        }
    }

    let mut length = Length(0);
    write!(length, "{value:e}").ok();
    length.0
}

/// The weight of text of so many bytes.
pub fn text(bytes: u64) -> u64 {
    bytes.saturating_add(3)
}

/// The weight of a blob of so many bytes: two digits for each.
pub fn blob(bytes: u64) -> u64 {
    bytes.saturating_mul(2).saturating_add(4)
}

/// The weight of a batch, without its long cells.
pub(crate) fn of_batch(batch: &Batch) -> u64 {
    let (integers, reals) = (&batch.integers, &batch.reals);
    let values = batch.lengths.len();
    let nulls = batch.kinds.len().saturating_sub(integers.len() + reals.len() + values);
    let looked_at = &integers[..integers.len().min(MAX_INTEGERS)];
    let of_integers = scaled(looked_at.iter().map(|value| integer(*value)), integers.len());
    let looked_at = &reals[..reals.len().min(MAX_REALS)];
    let of_reals = scaled(looked_at.iter().map(|value| real(*value)), reals.len());
    nulls as u64 * NULL + of_integers + of_reals + text(0) * values as u64 + of_bytes(batch)
}

/// The cells of a batch that are long blobs, by their place among all cells.
pub(crate) fn long_blobs(batch: &Batch) -> Vec<usize> {
    // Most batches have none, and then this is all.
    if !batch.kinds.contains(&LONG_BLOB) {
        return Vec::new();
    }
    let cells = batch.kinds.iter().enumerate();
    cells.filter(|(_, kind)| **kind == LONG_BLOB).map(|(place, _)| place).collect()
}

/// The weight of the bytes of text and blobs.
fn of_bytes(batch: &Batch) -> u64 {
    let bytes = batch.bytes.len() as u64;
    let looked_at = &batch.kinds[..batch.kinds.len().min(MAX_CELLS)];
    if !looked_at.contains(&BLOB) {
        return bytes;
    }
    if !looked_at.contains(&TEXT) {
        return 2 * bytes;
    }
    let (mut of_text, mut of_blobs) = (0, 0);
    let mut lengths = batch.lengths.iter();
    for kind in looked_at.iter().filter(|kind| matches!(**kind, TEXT | BLOB | 6 | LONG_BLOB)) {
        let length = lengths.next().copied().unwrap_or_default();
        match *kind {
            TEXT => of_text += u64::from(length),
            BLOB => of_blobs += u64::from(length),
            _ => {}
        }
    }
    bytes + (bytes as f64 * of_blobs as f64 / (of_text + of_blobs).max(1) as f64) as u64
}

/// The sum of these, which are the first of so many.
fn scaled(weights: impl ExactSizeIterator<Item = u64>, all: usize) -> u64 {
    let looked_at = weights.len() as u64;
    (weights.sum::<u64>() * all as u64).checked_div(looked_at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_about_the_length_as_text() {
        for (value, weight) in [(0, 2), (7, 2), (-7, 3), (1000, 5), (i64::MIN, 21)] {
            assert_eq!(integer(value), weight, "{value}");
        }
        for (value, weight) in [(0.5, 4), (12.75, 7), (1e300, 5), (1.0 / 3.0, 20)] {
            assert_eq!(real(value), weight, "{value}");
        }
    }

    #[test]
    fn a_batch_weighs_as_much_as_its_cells() {
        let mut batch = Batch::default();
        let mut weight = 0;
        for row in 0..100 {
            batch.push_integer(1000);
            batch.push_real(0.5);
            batch.push_null();
            batch.push_text(&[b'a'; 30]);
            batch.push_blob(&[b'b'; 10]);
            batch.end_row();
            assert_eq!(batch.rows, row + 1);
            weight += integer(1000) + real(0.5) + NULL + text(30) + blob(10);
        }
        let found = of_batch(&batch);
        assert!(found.abs_diff(weight) * 50 < weight, "{found} {weight}");
        assert_eq!(of_batch(&Batch::default()), 0);
    }
}
