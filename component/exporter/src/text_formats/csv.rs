//! Values of CSV (RFC 4180): text and bytes stand in quotes, numbers and NULL do not. So readers that look at the quotes
//! get every storage class back, but for blobs.

use alloc::vec::Vec;

use wide::u8x16;

use super::settings::{Blobs, Settings};
use super::short_text::ShortText;
use super::state::Form;
use super::syntax::{Seen, Syntax};
use crate::values::{Escape, write_escaped};

pub(super) struct Csv {
    null: ShortText,
    blobs: Blobs,
}

impl Csv {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { null: ShortText::new(settings.null.as_bytes()), blobs: settings.blobs }
    }
}

impl Syntax for Csv {
    #[inline(always)]
    fn write_null(&self, to: &mut Vec<u8>) {
        self.null.append_to(to);
    }

    fn infinity(&self, is_negative: bool) -> &'static [u8] {
        if is_negative { b"-Infinity" } else { b"Infinity" }
    }

    fn keeps_undecodable(&self) -> bool {
        false
    }

    #[inline(always)]
    fn delimiters(&self, _: Form) -> (&'static [u8], &'static [u8]) {
        (b"\"", b"\"")
    }

    #[inline(always)]
    fn write_escaped(&self, to: &mut Vec<u8>, text: &[u8]) -> Seen {
        let Quotes { nul, high } = write_escaped(to, text);
        Seen { nul: nul.any(), high: high.any() }
    }

    #[inline(always)]
    fn blobs(&self) -> Blobs {
        self.blobs
    }
}

/// A text as a field.
pub(super) fn quoted(to: &mut Vec<u8>, text: &[u8]) {
    to.push(b'"');
    write_escaped::<Quotes>(to, text);
    to.push(b'"');
}

/// Quotes are doubled.
#[derive(Default)]
struct Quotes {
    nul: u8x16,
    /// All bytes, of which the highest bit counts.
    high: u8x16,
}

impl Escape for Quotes {
    #[inline(always)]
    fn escaped(chunk: u8x16) -> u8x16 {
        chunk.simd_eq(u8x16::splat(b'"'))
    }

    #[inline(always)]
    fn look_at(&mut self, chunk: u8x16) {
        self.nul |= chunk.simd_eq(u8x16::ZERO);
        self.high |= chunk;
    }

    #[inline(always)]
    fn escape(to: &mut Vec<u8>, quote: u8) {
        to.push(quote);
    }
}
