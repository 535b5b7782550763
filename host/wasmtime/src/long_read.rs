//! How far a component is in a long value, by the weight of what it has read of it.

/// The long value that a component reads, piece by piece. It may be read more than once (first to look at it, and then to
/// write it): what counts is how far it is read when a part ends, or when the component goes on.
#[derive(Debug, Default)]
pub(crate) struct LongRead {
    /// The cursor, the row and the column.
    cell: (u32, u32, u32),
    is_blob: bool,
    /// Up to where it is read, this time.
    end: u64,
    /// Up to where it is counted.
    counted: u64,
}

impl LongRead {
    /// Notes that a piece was read. The weight of the value before that is not counted yet, if that was another.
    pub(crate) fn piece(
        &mut self,
        cell: (u32, u32, u32),
        is_blob: bool,
        offset: u32,
        bytes: usize,
    ) -> u64 {
        let mut before = 0;
        if cell != self.cell || self.counted == 0 && self.end == 0 {
            before = self.settle();
            // An export that resumes in a value has it up to there.
            *self = Self { cell, is_blob, end: 0, counted: offset.into() };
        }
        self.end = u64::from(offset) + bytes as u64;
        before
    }

    /// The component is at the end of the first `rows` rows. The weight of the value, if it is in one of them.
    pub(crate) fn reach(&mut self, rows: u32) -> u64 {
        if rows > self.cell.1 { self.settle() } else { 0 }
    }

    /// The weight of what was read, and is not counted yet.
    pub(crate) fn settle(&mut self) -> u64 {
        let bytes = self.end.saturating_sub(self.counted);
        self.counted += bytes;
        if self.is_blob { 2 * bytes } else { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_twice_counts_once_and_when_a_part_ends() {
        let mut long = LongRead::default();
        for offset in [0, 100, 200] {
            assert_eq!(long.piece((1, 0, 1), false, offset, 100), 0);
        }
        // Read again to be written, from the row's beginning on, with a part's end in the middle.
        assert_eq!(long.reach(0), 0);
        long.piece((1, 0, 1), false, 0, 100);
        assert_eq!(long.settle(), 100);
        long.piece((1, 0, 1), false, 100, 100);
        long.piece((1, 0, 1), false, 200, 100);
        // The next value, of which there is a part already.
        assert_eq!(long.piece((1, 0, 2), true, 500, 50), 200);
        assert_eq!((long.settle(), long.settle()), (100, 0));
    }
}
