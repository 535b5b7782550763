//! Compression and encryption of objects, in blocks that do not depend on each other.
//!
//! An object is encoded while it is made, and its making may stop at any point and go on in another process. So each
//! block of [`Encoding::block_size`] bytes is compressed by itself: what comes out depends on its bytes and the options
//! alone, whoever does it and when, and several can be worked on at a time. [`BlockEncoder`] does that. An
//! [`EncodedStream`] takes the results in order, encrypts them, and knows how to go on from its [saved
//! form](EncodedStream#impl-Serialize-for-EncodedStream).
//!
//! - **zstd**: a frame for each block, with a checksum, and a table of them at the end, as the [seekable
//!   format][seekable] has it. Any zstd program reads it.
//! - **gzip**: a member for each block (RFC 1952, section 2.2). Any gzip program reads it.
//! - **age**: the [age file format][age], version 1, to any number of recipients, around the compressed bytes. Chunks of
//!   64 KiB are encrypted by a key that is drawn once for each object and is part of the stream's saved form.
//!
//! [`Decoder`] reads all of it back, and what other programs have made of these formats.
//!
//! ```
//! use std::io::Read;
//! use partway_codec::{BlockEncoder, Decoder, EncodedStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blocks = BlockEncoder::new(Some("zstd".parse()?));
//! let mut stream = EncodedStream::begin(&blocks, &[], 1024 * 1024)?;
//! stream.push(&blocks.encode(1, b"INSERT INTO t VALUES (1);\n")?, 26)?;
//! stream.end(&blocks)?;
//! let object = stream.take_rest();
//!
//! let mut dump = String::new();
//! Decoder::new(&object[..], &[])?.read_to_string(&mut dump)?;
//! assert_eq!(dump, "INSERT INTO t VALUES (1);\n");
//! # Ok(())
//! # }
//! ```
//!
//! [seekable]: https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
//! [age]: https://age-encryption.org/v1

mod block;
mod codec;
mod decoder;
mod encoding;
mod encryption;
mod error;
mod keys;
mod stream;
mod zstd_frames;

pub use block::BlockEncoder;
pub use codec::{BlockCodec, Codec, CodecComponent, CompressBlock};
pub use decoder::{Decoder, MAGIC_BYTES, is_encoded};
pub use encoding::Encoding;
pub use error::{DecodeError, EncodeError};
pub use keys::{Identities, Identity, KeyError, Recipient, identities, recipients};
pub use partway_compression::{Compression, CompressionError};
pub use stream::EncodedStream;
