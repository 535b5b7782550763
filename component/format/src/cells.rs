//! The cells of a batch, read one after the other. A batch comes from the host: arrays that do not match are
//! an error, never a panic.

use alloc::format;
use alloc::string::String;

use crate::pipe::{Batch, Error, Text};

/// One cell of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A float.
    Real(f64),
    /// Text as stored, in the database's encoding.
    Text(&'a [u8]),
    /// Text whose bytes are known to be UTF-8.
    Utf8(&'a [u8]),
    /// A blob.
    Blob(&'a [u8]),
    /// A value of so many bytes that is not in the batch.
    Long {
        /// Whether it is text.
        text: bool,
        /// Its length in bytes, as stored.
        length: u32,
    },
}

/// Reads a batch cell by cell.
#[derive(Clone)]
pub struct Cells<'a> {
    kinds: core::slice::Iter<'a, u8>,
    integers: core::slice::Iter<'a, i64>,
    reals: core::slice::Iter<'a, f64>,
    lengths: core::slice::Iter<'a, u32>,
    bytes: &'a [u8],
    /// Whether the bytes of all cells, taken as one text, are UTF-8: one long text is checked faster than
    /// many short ones.
    is_utf8: bool,
}

impl<'a> Cells<'a> {
    /// Starts at the first cell of a batch that must have `columns` columns.
    pub fn new(batch: &'a Batch, columns: usize) -> Result<Self, Error> {
        let expected = (batch.rows as usize).checked_mul(columns);
        if expected != Some(batch.kinds.len()) {
            return Err(malformed(&format!(
                "{} rows of {columns} columns, but {} cells",
                batch.rows,
                batch.kinds.len()
            )));
        }
        Ok(Self {
            kinds: batch.kinds.iter(),
            integers: batch.integers.iter(),
            reals: batch.reals.iter(),
            lengths: batch.lengths.iter(),
            bytes: &batch.bytes,
            is_utf8: simdutf8::basic::from_utf8(&batch.bytes).is_ok(),
        })
    }

    /// Whether one of the next `cells` cells is long.
    #[inline]
    pub fn any_long(&self, cells: usize) -> bool {
        let next = self.kinds.as_slice().get(..cells).unwrap_or_default();
        // Without a branch on the way.
        next.iter().fold(false, |any, kind| any | matches!(kind, 6 | 7))
    }

    /// Skips a row of so many columns unless its first cell is one of these texts.
    #[cold]
    pub fn skip_unless_first_is(&mut self, texts: &[Text], columns: usize) -> Result<bool, Error> {
        let first = self.clone().next()?;
        if let Cell::Text(text) | Cell::Utf8(text) = first
            && texts.iter().any(|wanted| wanted == text)
        {
            return Ok(false);
        }
        for _ in 0..columns {
            self.next()?;
        }
        Ok(true)
    }

    /// The next cell.
    // With what is done with the cell in the same function, its kind is asked once.
    #[inline(always)]
    #[expect(
        clippy::should_implement_trait,
        reason = "it may fail, and who asks knows how many there are"
    )]
    pub fn next(&mut self) -> Result<Cell<'a>, Error> {
        match self.kinds.next() {
            Some(1) => self.integers.next().map(|value| Cell::Integer(*value)),
            Some(2) => self.reals.next().map(|value| Cell::Real(*value)),
            Some(3) => self.take().map(|text| self.text(text)),
            Some(4) => self.take().map(Cell::Blob),
            Some(5) => Some(Cell::Null),
            Some(kind @ (6 | 7)) => {
                let text = *kind == 6;
                self.lengths.next().map(|length| Cell::Long { text, length: *length })
            }
            Some(kind) => return Err(malformed(&format!("{kind} is not a kind of cell"))),
            None => return Err(malformed("it has fewer cells than its rows need")),
        }
        .ok_or_else(|| malformed("it has fewer values than cells"))
    }

    /// A text. It is UTF-8 if the whole batch is, and neither of its ends cuts a character.
    #[inline(always)]
    fn text(&self, text: &'a [u8]) -> Cell<'a> {
        let begins_here = |bytes: &[u8]| bytes.first().is_none_or(|byte| byte & 0xc0 != 0x80);
        if self.is_utf8 && begins_here(text) && begins_here(self.bytes) {
            Cell::Utf8(text)
        } else {
            Cell::Text(text)
        }
    }

    #[inline(always)]
    fn take(&mut self) -> Option<&'a [u8]> {
        let length = *self.lengths.next()?;
        let (value, rest) = self.bytes.split_at_checked(length as usize)?;
        self.bytes = rest;
        Some(value)
    }
}

fn malformed(what: &str) -> Error {
    Error::ReadFailed(String::from("a batch of rows is malformed: ") + what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_in_the_order_of_their_kinds() {
        let batch = Batch {
            rows: 2,
            kinds: vec![1, 3, 5, 2, 4, 7],
            integers: vec![-7],
            reals: vec![0.5],
            lengths: vec![2, 1, 9_000_000],
            bytes: b"abc".to_vec(),
        };
        let mut cells = Cells::new(&batch, 3).unwrap();
        let all: Vec<_> = (0..6).map(|_| cells.next().unwrap()).collect();
        assert_eq!(
            all,
            [
                Cell::Integer(-7),
                Cell::Utf8(b"ab"),
                Cell::Null,
                Cell::Real(0.5),
                Cell::Blob(b"c"),
                Cell::Long { text: false, length: 9_000_000 }
            ]
        );
        assert!(cells.next().is_err());
    }

    #[test]
    fn a_text_that_ends_within_a_character_is_not_known_to_be_utf_8() {
        let texts = |bytes: &[u8], lengths: &[u32]| {
            let kinds = vec![3; lengths.len()];
            let lengths = lengths.to_vec();
            let batch =
                Batch { rows: 1, kinds, lengths, bytes: bytes.to_vec(), ..Batch::default() };
            let mut cells = Cells::new(&batch, batch.kinds.len()).unwrap();
            let known = |cell: Cell<'_>| matches!(cell, Cell::Utf8(_));
            batch.kinds.iter().map(|_| known(cells.next().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(texts("aé".as_bytes(), &[3]), [true]);
        assert_eq!(texts("aéb".as_bytes(), &[1, 2, 0, 1]), [true, true, true, true]);
        // Together they are UTF-8, each by itself some are not.
        assert_eq!(texts("aéb".as_bytes(), &[2, 2]), [false, false]);
        assert_eq!(texts("aéb".as_bytes(), &[2, 0, 1, 1]), [false, false, false, true]);
        assert_eq!(texts(b"a\xff", &[1, 1]), [false, false]);
    }

    #[test]
    fn arrays_that_do_not_fit_together_are_an_error() {
        let whole = Batch {
            rows: 1,
            kinds: vec![3, 1],
            integers: vec![1],
            reals: vec![],
            lengths: vec![3],
            bytes: b"abc".to_vec(),
        };
        let broken = [
            Batch { rows: 2, ..whole.clone() },
            Batch { rows: u32::MAX, ..whole.clone() },
            Batch { kinds: vec![3, 0], ..whole.clone() },
            Batch { kinds: vec![3, 8], ..whole.clone() },
            Batch { integers: vec![], ..whole.clone() },
            Batch { lengths: vec![], ..whole.clone() },
            Batch { lengths: vec![u32::MAX], ..whole.clone() },
            Batch { bytes: vec![], ..whole },
        ];
        for batch in broken {
            let read = Cells::new(&batch, 2).and_then(|mut cells| {
                cells.next()?;
                cells.next()
            });
            assert!(matches!(read, Err(Error::ReadFailed(_))), "{batch:?} was read");
        }
    }
}
