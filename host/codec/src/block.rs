//! Compressing blocks on any number of threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partway_compression::Compression;

use crate::codec::{BlockCodec, CompressBlock};
use crate::error::EncodeError;

/// Compresses an object's blocks. Clones share what that takes.
#[derive(Debug, Clone, Default)]
pub struct BlockEncoder(Option<Arc<Shared>>);

struct Shared {
    codec: Box<dyn BlockCodec>,
    /// As many as blocks are worked on at a time, but for those at work.
    free: Mutex<Vec<CompressBlock>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec.fmt(f)
    }
}

impl BlockEncoder {
    /// Compresses with a library in the program; none: leaves blocks as they are.
    pub fn new(compression: Option<Compression>) -> Self {
        compression.map_or_else(Self::default, Self::with_codec)
    }

    /// Compresses with a codec of your own.
    pub fn with_codec(codec: impl BlockCodec + 'static) -> Self {
        Self(Some(Arc::new(Shared { codec: Box::new(codec), free: Mutex::default() })))
    }

    /// Compresses the block of this number, counted from 1: with zstd to a frame, with gzip to a member.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Block`] and [`EncodeError::Compress`].
    pub fn encode(&self, number: u32, block: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let Some(Shared { codec, free }) = self.0.as_deref() else { return Ok(block.to_vec()) };
        let kept = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compress = match kept {
            Some(compress) => compress,
            None => codec.compressor()?,
        };
        let encoded = compress(number, block)?;
        free.lock().unwrap_or_else(PoisonError::into_inner).push(compress);
        Ok(encoded)
    }

    pub(crate) fn head(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |shared| shared.codec.head())
    }

    pub(crate) fn has_tail(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.codec.has_tail())
    }

    pub(crate) fn tail(
        &self,
        block_size: u32,
        length: u64,
        sizes: &[u32],
    ) -> Result<Vec<u8>, EncodeError> {
        match &self.0 {
            Some(shared) => shared.codec.tail(block_size, length, sizes),
            None => Ok(Vec::new()),
        }
    }
}
