//! Pages: what column chunks are made of.

use alloc::vec::Vec;

use crate::hybrid::{write_hybrid, write_run};
use crate::settings::Compression;
use crate::snappy::Snappy;
use crate::thrift::Thrift;

/// Numbers of Parquet's encodings.
pub(crate) const PLAIN: i32 = 0;
pub(crate) const RLE: i32 = 3;
pub(crate) const RLE_DICTIONARY: i32 = 8;

/// Numbers of Parquet's kinds of pages.
const DATA: i32 = 0;
const DICTIONARY: i32 = 2;

/// Makes pages of a file.
pub(crate) struct Pages {
    compression: Compression,
    snappy: Snappy,
}

/// A page and its size without compression, both with its header.
pub(crate) struct Page {
    pub(crate) bytes: Vec<u8>,
    pub(crate) uncompressed: u64,
}

impl Pages {
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, snappy: Snappy::new() }
    }

    /// A page of so many values, NULLs among them, in an encoding.
    pub(crate) fn data(&mut self, values: usize, encoding: i32, body: &[u8]) -> Page {
        self.page(body, |lengths| data_header(lengths, values, encoding))
    }

    /// A page of so many distinct values.
    pub(crate) fn dictionary(&mut self, values: usize, body: &[u8]) -> Page {
        self.page(body, |(uncompressed, compressed)| {
            let mut header = Thrift::new();
            header.i32(1, DICTIONARY);
            header.i32(2, uncompressed as i32);
            header.i32(3, compressed as i32);
            header.begin(7);
            header.i32(1, values as i32);
            header.i32(2, PLAIN);
            header.end();
            header.finish()
        })
    }

    fn page(&mut self, body: &[u8], header: impl FnOnce((usize, usize)) -> Vec<u8>) -> Page {
        let mut compressed = Vec::new();
        let stored = match self.compression {
            Compression::None => body,
            Compression::Snappy => {
                compressed.reserve(body.len() / 2);
                self.snappy.compress(&mut compressed, body);
                &compressed
            }
        };
        let mut bytes = header((body.len(), stored.len()));
        let uncompressed = (bytes.len() + body.len()) as u64;
        bytes.reserve_exact(stored.len());
        bytes.extend_from_slice(stored);
        Page { bytes, uncompressed }
    }
}

/// The header of a page of values, of these lengths without and with compression.
pub(crate) fn data_header(
    (uncompressed, compressed): (usize, usize),
    values: usize,
    encoding: i32,
) -> Vec<u8> {
    let mut header = Thrift::new();
    header.i32(1, DATA);
    header.i32(2, uncompressed as i32);
    header.i32(3, compressed as i32);
    header.begin(5);
    header.i32(1, values as i32);
    header.i32(2, encoding);
    // Of which values are NULL, and of lists, of which there are none.
    header.i32(3, RLE);
    header.i32(4, RLE);
    header.end();
    header.finish()
}

/// Which of a page's values are not NULL.
#[derive(Default)]
pub(crate) struct Presence {
    /// A bit each, from the first NULL on; before it, none is kept.
    bits: Vec<u64>,
    values: usize,
    nulls: usize,
}

impl Presence {
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    #[inline]
    pub(crate) fn push(&mut self, is_present: bool) {
        if self.nulls > 0 || !is_present {
            self.push_bit(is_present);
        }
        self.values += 1;
        self.nulls += usize::from(!is_present);
    }

    fn push_bit(&mut self, is_present: bool) {
        if self.nulls == 0 {
            // All before the first NULL.
            self.bits.resize(self.values / 64, u64::MAX);
            if !self.values.is_multiple_of(64) {
                self.bits.push((1 << (self.values % 64)) - 1);
            }
        }
        if self.values.is_multiple_of(64) {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u64::from(is_present) << (self.values % 64);
        }
    }

    /// Appends them as definition levels: their length in bytes, and the levels.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&[0; 4]);
        if self.nulls == 0 || self.nulls == self.values {
            write_run(to, 1, u32::from(self.nulls == 0), self.values);
        } else {
            let level = |at: usize| {
                let word = self.bits.get(at / 64).copied().unwrap_or(0);
                (word >> (at % 64) & 1) as u32
            };
            let levels: Vec<u32> = (0..self.values).map(level).collect();
            write_hybrid(to, 1, &levels);
        }
        let length = (to.len() - start - 4) as u32;
        if let Some(place) = to.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
}
