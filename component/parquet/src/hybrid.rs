//! Small numbers as runs: Parquet's hybrid of run lengths and bit packing.

use alloc::vec::Vec;

use crate::thrift::write_varint;

/// Bits that the numbers up to `largest` take, at least one.
pub(crate) fn width(largest: u32) -> u32 {
    (u32::BITS - largest.leading_zeros()).max(1)
}

/// One number, so many times.
pub(crate) fn write_run(to: &mut Vec<u8>, width: u32, value: u32, times: usize) {
    write_varint(to, (times as u64) << 1);
    to.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Numbers of `width` bits each.
pub(crate) fn write_hybrid(to: &mut Vec<u8>, width: u32, values: &[u32]) {
    // Those from here on are neither packed nor in a run yet.
    let mut pending = 0;
    let mut at = 0;
    while let Some(value) = values.get(at) {
        let run = values[at..].iter().take_while(|next| *next == value).count();
        // Only whole groups of eight are packed in front of a run.
        let to_whole = (at - pending).next_multiple_of(8) - (at - pending);
        if run >= to_whole + 8 {
            write_packed(to, width, &values[pending..at + to_whole]);
            write_run(to, width, *value, run - to_whole);
            pending = at + run;
        }
        at += run;
    }
    write_packed(to, width, &values[pending..]);
}

/// Numbers in groups of eight, the last one filled up with zeros.
fn write_packed(to: &mut Vec<u8>, width: u32, values: &[u32]) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    write_varint(to, (groups as u64) << 1 | 1);
    let end = to.len() + groups * width as usize;
    let (mut bits, mut filled) = (0_u64, 0);
    for value in values {
        bits |= u64::from(*value) << filled;
        filled += width;
        while filled >= 8 {
            to.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        to.push(bits as u8);
    }
    to.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thrift::read_varint;

    /// Decodes so many numbers, as the format's description says.
    fn read(mut from: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let header = read_varint(&mut from).unwrap();
            let (bytes, value);
            if header & 1 == 0 {
                (bytes, from) = from.split_at(width.div_ceil(8) as usize);
                value = bytes.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
                values.extend((0..header >> 1).map(|_| value));
            } else {
                let groups = (header >> 1) as usize;
                (bytes, from) = from.split_at(groups * width as usize);
                let bit = |at: u32| u32::from(bytes[at as usize / 8] >> (at % 8) & 1);
                let packed = (0..groups as u32 * 8)
                    .map(|index| (0..width).map(|of| bit(index * width + of) << of).sum::<u32>());
                values.extend(packed);
            }
        }
        assert!(from.is_empty());
        values.truncate(count);
        values
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let lists: [&[u32]; 6] = [
            &[],
            &[1],
            &[5; 100],
            &[1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4],
            &[0, 1, 0, 1, 0, 1, 0, 1, 0],
            &[7, 7, 7, 7, 7, 7, 7, 7, 9, 70_000],
        ];
        for values in lists {
            let width = width(values.iter().copied().max().unwrap_or(0));
            let mut bytes = Vec::new();
            write_hybrid(&mut bytes, width, values);
            assert_eq!(read(&bytes, width, values.len()), values);
        }
    }

    #[test]
    fn long_runs_take_few_bytes() {
        let mut values = alloc::vec![3; 10_000];
        values.extend([1, 2, 3]);
        let mut bytes = Vec::new();
        write_hybrid(&mut bytes, 2, &values);
        assert!(bytes.len() < 10, "{}", bytes.len());
    }
}
