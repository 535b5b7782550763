//! How an object is compressed, as people write it: `zstd`, `zstd:9`, `gzip`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::seek_table::seek_table;

/// The highest levels: zstd's above 19 need more memory than a host may have.
const MAX_ZSTD_LEVEL: u8 = 19;
const MAX_GZIP_LEVEL: u8 = 12;

/// The default of both. An export makes text so fast that a higher level would be the slowest part of it.
const DEFAULT_LEVEL: u8 = 1;

/// A compression format and its level. Its text is `zstd` or `gzip`, with `:LEVEL` behind it if that is not 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Compression {
    /// zstd, at a level from 1 to 19.
    Zstd(u8),
    /// gzip, at a level from 1 to 12.
    Gzip(u8),
}

/// Why a text names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// There is no such format here.
    #[error("{0:?} is not a compression: use zstd, zstd:LEVEL, gzip or gzip:LEVEL")]
    UnknownFormat(String),
    /// The format has no such level.
    #[error("{level:?} is not a level of {format}: use a number from 1 to {most}")]
    UnknownLevel {
        /// The format.
        format: &'static str,
        /// What was given.
        level: String,
        /// The highest level.
        most: u8,
    },
}

impl Compression {
    /// What a compressed object's name ends in, after the name of what is compressed.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Zstd(_) => ".zst",
            Self::Gzip(_) => ".gz",
        }
    }

    /// What ends a compressed object, behind its last block: for zstd, the table of the [seekable format]; for gzip, nothing.
    /// A table of more blocks than one may have is left out: any decoder reads the object without it. None if blocks of this
    /// size can't have this length in bytes, uncompressed. `sizes`: the compressed sizes of all blocks.
    ///
    /// [seekable format]: https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
    pub fn tail(self, block_size: u32, length: u64, sizes: &[u32]) -> Option<Vec<u8>> {
        let Self::Zstd(_) = self else { return Some(Vec::new()) };
        let Some(before_last) = sizes.len().checked_sub(1) else {
            return seek_table([].into_iter());
        };
        let whole = u64::from(block_size) * before_last as u64;
        let last = length.checked_sub(whole).and_then(|bytes| u32::try_from(bytes).ok())?;
        let frames = sizes.iter().enumerate();
        let frames = frames
            .map(|(index, size)| (*size, if index == before_last { last } else { block_size }));
        Some(seek_table(frames).unwrap_or_default())
    }

    /// The media type of a compressed object (RFC 8878 and RFC 6713).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Zstd(_) => "application/zstd",
            Self::Gzip(_) => "application/gzip",
        }
    }
}

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        type Variant = fn(u8) -> Compression;
        let (format, most, variant): (_, _, Variant) = match name {
            "zstd" => ("zstd", MAX_ZSTD_LEVEL, Self::Zstd),
            "gzip" => ("gzip", MAX_GZIP_LEVEL, Self::Gzip),
            _ => return Err(CompressionError::UnknownFormat(text.to_owned())),
        };
        let Some(level) = level else { return Ok(variant(DEFAULT_LEVEL)) };
        match level.parse() {
            Ok(number @ 1..) if number <= most => Ok(variant(number)),
            _ => Err(CompressionError::UnknownLevel { format, level: level.to_owned(), most }),
        }
    }
}

impl TryFrom<String> for Compression {
    type Error = CompressionError;

    fn try_from(text: String) -> Result<Self, CompressionError> {
        text.parse()
    }
}

impl From<Compression> for String {
    fn from(compression: Compression) -> Self {
        compression.to_string()
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, level) = match self {
            Self::Zstd(level) => ("zstd", level),
            Self::Gzip(level) => ("gzip", level),
        };
        match *level {
            DEFAULT_LEVEL => f.write_str(name),
            level => write!(f, "{name}:{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_written() {
        for text in ["zstd", "zstd:19", "gzip", "gzip:12"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        assert_eq!("zstd:1".parse(), Ok(Compression::Zstd(1)));
        for text in [
            "", "lz4", "Zstd", "zstd:", "zstd:0", "zstd:20", "zstd:-1", "gzip:13", "gzip:x",
            "zstd:3:4",
        ] {
            assert!(text.parse::<Compression>().is_err(), "{text}");
        }
    }
}
