//! One column of a row group: values in, pages out.

use alloc::vec::Vec;

use crate::dictionary::Dictionary;
use crate::hybrid::{width, write_hybrid};
use crate::page::{PLAIN, Page, Pages, Presence, RLE_DICTIONARY};
use crate::statistics::Range;
use crate::types::Physical;

/// A page ends where its values have so many bytes, or where there are so many of them.
const PAGE_BYTES: usize = 256 * 1024;
const PAGE_VALUES: usize = 20_000;

/// After so many values it is known whether a dictionary is worth it: where at most half of them are distinct.
const SAMPLE: usize = 1024;

/// What the footer says of a column chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ChunkMetadata {
    /// Its bytes without compression, with the headers of its pages.
    pub(crate) uncompressed: u64,
    /// Its bytes as written.
    pub(crate) compressed: u64,
    /// The bytes of its dictionary, which comes first; 0: it has none.
    pub(crate) dictionary: u64,
    pub(crate) nulls: u64,
    /// Its least and its greatest value.
    pub(crate) range: Option<(Vec<u8>, Vec<u8>)>,
}

/// A column chunk in the making. Its pages are compressed as soon as they are full.
pub(crate) struct ColumnChunk {
    physical: Physical,
    /// Where a dictionary may not become larger, in bytes.
    max_dictionary: usize,
    /// None: it is not worth it.
    dictionary: Option<Dictionary>,
    /// Values that are not NULL.
    present: usize,
    /// The page that is not full: its values by their numbers in the dictionary, or else as they are.
    numbers: Vec<u32>,
    plain: Vec<u8>,
    presence: Presence,
    /// The bytes of the page's values, as if they were all written as they are.
    page_bytes: usize,
    /// A value as it is encoded.
    scratch: Vec<u8>,
    pages: Vec<Page>,
    /// Whether the first page is the dictionary.
    has_dictionary: bool,
    range: Range,
    nulls: u64,
}

impl ColumnChunk {
    /// A chunk without values. Its dictionary takes at most `max_dictionary` bytes.
    pub(crate) fn new(physical: Physical, max_dictionary: usize) -> Self {
        Self {
            physical,
            max_dictionary,
            dictionary: Some(Dictionary::new()),
            present: 0,
            numbers: Vec::new(),
            plain: Vec::new(),
            presence: Presence::default(),
            page_bytes: 0,
            scratch: Vec::new(),
            pages: Vec::new(),
            has_dictionary: false,
            range: Range::Empty,
            nulls: 0,
        }
    }

    /// Appends NULL. How much the row group grows: no column is for nothing.
    #[inline]
    pub(crate) fn push_null(&mut self, pages: &mut Pages) -> usize {
        self.nulls += 1;
        self.presence.push(false);
        self.end_page_if_full(pages);
        1
    }

    /// Appends a value of eight bytes. How much the row group grows.
    #[inline]
    pub(crate) fn push_fixed(&mut self, value: [u8; 8], pages: &mut Pages) -> usize {
        if self.dictionary.is_some() {
            self.push_number(&value, pages);
        } else {
            self.range.add(self.physical, &value);
            self.plain.extend_from_slice(&value);
            self.end_value(value.len(), pages);
        }
        value.len()
    }

    /// Appends a value that `write` appends to what it is given. How much the row group grows.
    #[inline]
    pub(crate) fn push_bytes(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        pages: &mut Pages,
    ) -> usize {
        if self.dictionary.is_some() {
            let mut scratch = core::mem::take(&mut self.scratch);
            scratch.clear();
            write_encoded(&mut scratch, write);
            self.push_number(&scratch, pages);
            let length = scratch.len();
            // One that was large is not kept.
            if length <= PAGE_BYTES {
                self.scratch = scratch;
            }
            return length;
        }
        let start = self.plain.len();
        write_encoded(&mut self.plain, write);
        let encoded = self.plain.get(start..).unwrap_or_default();
        let length = encoded.len();
        self.range.add(self.physical, encoded);
        self.end_value(length, pages);
        length
    }

    /// Appends an encoded value while there is a dictionary.
    #[inline]
    fn push_number(&mut self, value: &[u8], pages: &mut Pages) {
        let Some(dictionary) = &mut self.dictionary else { return };
        let (number, is_new) = dictionary.number(value);
        self.numbers.push(number);
        if is_new {
            self.range.add(self.physical, value);
        }
        let is_worth_it = self.present + 1 != SAMPLE || dictionary.len() <= SAMPLE / 2;
        let is_full = is_new && dictionary.plain().len() > self.max_dictionary;
        // It belongs to the page, whichever way it is written.
        self.presence.push(true);
        self.present += 1;
        self.page_bytes += value.len();
        if !is_worth_it || is_full {
            self.leave_dictionary(pages);
        }
        self.end_page_if_full(pages);
    }

    /// Counts a value of so many bytes that is in the page.
    #[inline]
    fn end_value(&mut self, bytes: usize, pages: &mut Pages) {
        self.presence.push(true);
        self.present += 1;
        self.page_bytes += bytes;
        self.end_page_if_full(pages);
    }

    #[inline]
    fn end_page_if_full(&mut self, pages: &mut Pages) {
        if self.page_bytes >= PAGE_BYTES || self.presence.values() >= PAGE_VALUES {
            self.end_page(pages);
        }
    }

    /// From now on values are written as they are.
    fn leave_dictionary(&mut self, pages: &mut Pages) {
        if self.pages.is_empty() {
            if let Some(dictionary) = self.dictionary.take() {
                for number in core::mem::take(&mut self.numbers) {
                    self.plain.extend_from_slice(dictionary.value(number));
                }
            }
        } else {
            self.end_page(pages);
            if let Some(dictionary) = self.dictionary.take() {
                self.put_dictionary(&dictionary, pages);
            }
        }
    }

    /// Puts the dictionary's page before the others.
    fn put_dictionary(&mut self, dictionary: &Dictionary, pages: &mut Pages) {
        if dictionary.len() > 0 {
            self.pages.insert(0, pages.dictionary(dictionary.len(), dictionary.plain()));
            self.has_dictionary = true;
        }
    }

    fn end_page(&mut self, pages: &mut Pages) {
        let presence = core::mem::take(&mut self.presence);
        if presence.values() == 0 {
            return;
        }
        let mut body = Vec::with_capacity(64 + self.plain.len());
        presence.write(&mut body);
        // A page of NULLs alone needs no dictionary.
        let encoding = if self.numbers.is_empty() {
            body.extend_from_slice(&core::mem::take(&mut self.plain));
            PLAIN
        } else {
            let numbers = core::mem::take(&mut self.numbers);
            let width = width(numbers.iter().copied().max().unwrap_or(0));
            body.push(width as u8);
            write_hybrid(&mut body, width, &numbers);
            RLE_DICTIONARY
        };
        self.page_bytes = 0;
        self.pages.push(pages.data(presence.values(), encoding, &body));
    }

    /// Its pages in their order, and what the footer says of it.
    pub(crate) fn finish(mut self, pages: &mut Pages) -> (Vec<Page>, ChunkMetadata) {
        let is_small = self.pages.is_empty();
        let distinct = self.dictionary.as_ref().map_or(0, Dictionary::len);
        if is_small && 2 * distinct > self.present {
            self.leave_dictionary(pages);
        }
        self.end_page(pages);
        if let Some(dictionary) = self.dictionary.take() {
            self.put_dictionary(&dictionary, pages);
        }
        let first = self.pages.first().filter(|_| self.has_dictionary);
        let metadata = ChunkMetadata {
            uncompressed: self.pages.iter().map(|page| page.uncompressed).sum(),
            compressed: self.pages.iter().map(|page| page.bytes.len() as u64).sum(),
            dictionary: first.map_or(0, |page| page.bytes.len() as u64),
            nulls: self.nulls,
            range: self.range.ends(),
        };
        (self.pages, metadata)
    }
}

/// Appends a value with its length before it.
#[inline]
fn write_encoded(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    write(to);
    let length = (to.len() - start - 4) as u32;
    if let Some(place) = to.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_le_bytes();
    }
}
