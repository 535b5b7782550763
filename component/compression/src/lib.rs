//! Compressing an object in blocks that do not depend on each other.
//!
//! A block's compressed bytes depend on nothing but its own bytes and the [`Compression`]: not on the machine, and not on
//! whether it is a processor or WebAssembly that does it. What ends the object depends on the sizes of the blocks. So a host
//! can encode several at a time, stop after any of them, and go on elsewhere.
//!
//! - **zstd**: a frame for each block, with a checksum, and a table of them at the end, as the [seekable format][seekable]
//!   has it. Any zstd program reads it.
//! - **gzip**: a member for each block (RFC 1952, section 2.2). Any gzip program reads it.
//!
//! ```
//! use partway_compression::{Compression, Compressor};
//!
//! let compression: Compression = "zstd:3".parse()?;
//! let mut compressor = Compressor::new(compression)?;
//! let blocks = [[b'a'; 4096], [b'b'; 4096]];
//! let frames = blocks.iter().map(|block| compressor.compress(block)).collect::<Result<Vec<_>, _>>()?;
//! let sizes: Vec<u32> = frames.iter().map(|frame| frame.len() as u32).collect();
//! let object = [frames.concat(), compression.tail(4096, 8192, &sizes).expect("two blocks")].concat();
//! assert_eq!(zstd::decode_all(&object[..])?, blocks.concat());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [seekable]: https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md

mod compression;
mod compressor;
mod seek_table;

pub use compression::{Compression, CompressionError};
pub use compressor::{CompressError, Compressor};
pub use seek_table::{FrameSizes, SKIPPABLE_MAGIC, is_table_of, largest_content};
