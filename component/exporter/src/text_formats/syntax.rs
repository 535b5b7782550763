//! How a format writes each kind of value.

use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::settings::Blobs;
use super::state::{Form, Losses};
use crate::values::{Decoded, write_hex};

/// What has been seen in a text.
pub(super) struct Seen {
    /// A NUL that readers may stumble over.
    pub(super) nul: bool,
    /// A byte beyond ASCII, so that the text may be no UTF-8.
    pub(super) high: bool,
}

/// How a format writes each kind of value.
pub(super) trait Syntax {
    /// Appends what stands for NULL.
    fn write_null(&self, to: &mut Vec<u8>);

    /// What stands for an infinity.
    fn infinity(&self, is_negative: bool) -> &'static [u8];

    /// Whether text that is invalid in its encoding is written as its bytes, in [`Form::Undecodable`], and not as text in
    /// which the invalid is replaced.
    fn keeps_undecodable(&self) -> bool;

    /// What stands before a value of text or bytes, and behind it.
    fn delimiters(&self, form: Form) -> (&'static [u8], &'static [u8]);

    /// Appends text, or a piece of it, without its delimiters.
    fn write_escaped(&self, to: &mut Vec<u8>, text: &[u8]) -> Seen;

    /// How blobs are written.
    fn blobs(&self) -> Blobs;

    /// Appends a text that is invalid in its encoding.
    #[cold]
    fn write_undecodable(
        &self,
        to: &mut Vec<u8>,
        stored: &[u8],
        decoded: &Decoded<'_>,
        losses: &mut Losses,
    ) {
        if self.keeps_undecodable() {
            let (opening, closing) = self.delimiters(Form::Undecodable);
            to.extend_from_slice(opening);
            write_base64(to, stored);
            return to.extend_from_slice(closing);
        }
        losses.replaced += decoded.replaced;
        let (opening, closing) = self.delimiters(Form::Text);
        to.extend_from_slice(opening);
        let text = decoded.text.as_bytes();
        losses.count_nuls(&self.write_escaped(to, text), text);
        to.extend_from_slice(closing);
    }

    /// Appends a blob, or a piece of it, without its delimiters. Pieces in base64 have whole groups of three bytes.
    #[inline(always)]
    fn write_bytes(&self, to: &mut Vec<u8>, bytes: &[u8]) {
        match self.blobs() {
            Blobs::Hex => write_hex(to, bytes),
            Blobs::Tagged | Blobs::Base64 => write_base64(to, bytes),
        }
    }
}

/// Appends bytes in base64 (RFC 4648, padded).
pub(super) fn write_base64(to: &mut Vec<u8>, bytes: &[u8]) {
    let start = to.len();
    // Four digits for each three bytes, the last of which may be missing.
    to.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut to[start..]);
    debug_assert_eq!(written.ok(), Some(to.len() - start), "the digits have their room");
}
