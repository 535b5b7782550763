//! What compresses an object: a library inside, or a component.

use std::fmt;
use std::path::PathBuf;

use partway_compression::{Compression, Compressor};
use serde::{Deserialize, Serialize};

use crate::error::EncodeError;

/// What compresses an object, as it is saved with an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Codec {
    /// A library in the program.
    BuiltIn(Compression),
    /// A component.
    Component(CodecComponent),
}

/// A component that compresses an object. This is what to know of it before it is loaded: what loads it compares
/// [`CodecComponent::sha256`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecComponent {
    /// Its file.
    pub file: PathBuf,
    /// The SHA-256 of the file, in hexadecimal digits: another component may write other bytes.
    pub sha256: String,
    /// How it compresses: `NAME` or `NAME:LEVEL`. Both are for the component to understand.
    pub compression: String,
    /// What a compressed object's name ends in, after the name of what is compressed.
    pub suffix: String,
    /// The media type of a compressed object.
    pub media_type: String,
}

/// Compresses the block of a number, counted from 1. Called for one block after another.
pub type CompressBlock = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, EncodeError> + Send>;

/// Compresses an object's blocks, and makes what comes before and behind them.
///
/// A block's encoding depends on its number, its bytes and the options alone: the same in any process.
pub trait BlockCodec: fmt::Debug + Send + Sync {
    /// The object's first bytes, before the first block.
    fn head(&self) -> &[u8];

    /// What compresses blocks. A [`BlockEncoder`](crate::BlockEncoder) takes one for each block that is compressed at a time, and
    /// uses it again until it fails.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Block`] and [`EncodeError::Compress`], as what it returns has.
    fn compressor(&self) -> Result<CompressBlock, EncodeError>;

    /// Whether [`BlockCodec::tail`] depends on the sizes of the blocks' encodings; where it does not, they are not kept.
    fn has_tail(&self) -> bool;

    /// The object's last bytes, behind its last block. `block_size`: of all blocks but the last; `length`: of all blocks;
    /// `sizes`: of their encodings. All in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Compress`], and [`EncodeError::Damaged`] if no object has such sizes.
    fn tail(&self, block_size: u32, length: u64, sizes: &[u32]) -> Result<Vec<u8>, EncodeError>;
}

impl BlockCodec for Compression {
    fn head(&self) -> &[u8] {
        &[]
    }

    fn compressor(&self) -> Result<CompressBlock, EncodeError> {
        let mut compressor = Compressor::new(*self)?;
        Ok(Box::new(move |_, block| Ok(compressor.compress(block)?)))
    }

    fn has_tail(&self) -> bool {
        matches!(self, Self::Zstd(_))
    }

    fn tail(&self, block_size: u32, length: u64, sizes: &[u32]) -> Result<Vec<u8>, EncodeError> {
        Self::tail(*self, block_size, length, sizes).ok_or(EncodeError::Damaged)
    }
}

impl Codec {
    /// What a compressed object's name ends in, after the name of what is compressed.
    pub fn suffix(&self) -> &str {
        match self {
            Self::BuiltIn(compression) => compression.suffix(),
            Self::Component(component) => &component.suffix,
        }
    }

    /// The media type of a compressed object.
    pub fn media_type(&self) -> &str {
        match self {
            Self::BuiltIn(compression) => compression.media_type(),
            Self::Component(component) => &component.media_type,
        }
    }
}

impl From<Compression> for Codec {
    fn from(compression: Compression) -> Self {
        Self::BuiltIn(compression)
    }
}

/// As people write it, such as `zstd:9`.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(compression) => compression.fmt(f),
            Self::Component(component) => f.write_str(&component.compression),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_read_as_it_is_saved() {
        let zstd = Codec::from(Compression::Zstd(9));
        assert_eq!(serde_json::to_string(&zstd).unwrap(), "\"zstd:9\"");
        let component = Codec::Component(CodecComponent {
            file: "lz4.wasm".into(),
            sha256: "ab".to_owned(),
            compression: "lz4".to_owned(),
            suffix: ".lz4".to_owned(),
            media_type: "application/x-lz4".to_owned(),
        });
        for codec in [zstd, component] {
            let saved = serde_json::to_string(&codec).unwrap();
            assert_eq!(serde_json::from_str::<Codec>(&saved).unwrap(), codec);
        }
        assert!(serde_json::from_str::<Codec>("\"lz4\"").is_err());
    }
}
