//! Compressing blocks on any number of threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partway_compression::{Compression, Compressor};

use crate::codec::BlockCodec;
use crate::error::EncodeError;

/// Compresses an object's blocks. Clones share what that takes.
#[derive(Debug, Clone, Default)]
pub struct BlockEncoder(Option<Arc<dyn BlockCodec>>);

impl BlockEncoder {
    /// Compresses with a library in the program; none: leaves blocks as they are.
    pub fn new(compression: Option<Compression>) -> Self {
        Self(compression.map(|compression| {
            Arc::new(Compressors { compression, free: Mutex::default() }) as Arc<dyn BlockCodec>
        }))
    }

    /// Compresses with a codec of your own.
    pub fn with_codec(codec: impl BlockCodec + 'static) -> Self {
        Self(Some(Arc::new(codec)))
    }

    /// Compresses the block of this number, counted from 1: with zstd to a frame, with gzip to a member.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Block`] and [`EncodeError::Compress`].
    pub fn encode(&self, number: u32, block: &[u8]) -> Result<Vec<u8>, EncodeError> {
        match &self.0 {
            Some(codec) => codec.encode(number, block),
            None => Ok(block.to_vec()),
        }
    }

    pub(crate) fn head(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |codec| codec.head())
    }

    pub(crate) fn has_tail(&self) -> bool {
        self.0.as_ref().is_some_and(|codec| codec.has_tail())
    }

    pub(crate) fn tail(
        &self,
        block_size: u32,
        length: u64,
        sizes: &[u32],
    ) -> Result<Vec<u8>, EncodeError> {
        match &self.0 {
            Some(codec) => codec.tail(block_size, length, sizes),
            None => Ok(Vec::new()),
        }
    }
}

/// As many compressors as blocks are worked on at a time.
struct Compressors {
    compression: Compression,
    free: Mutex<Vec<Compressor>>,
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compressors").field(&self.compression).finish()
    }
}

impl BlockCodec for Compressors {
    fn head(&self) -> &[u8] {
        &[]
    }

    fn encode(&self, _: u32, block: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compressor = match free {
            Some(compressor) => compressor,
            None => Compressor::new(self.compression)?,
        };
        let encoded = compressor.compress(block)?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        Ok(encoded)
    }

    fn has_tail(&self) -> bool {
        matches!(self.compression, Compression::Zstd(_))
    }

    fn tail(&self, block_size: u32, length: u64, sizes: &[u32]) -> Result<Vec<u8>, EncodeError> {
        self.compression.tail(block_size, length, sizes).ok_or(EncodeError::Damaged)
    }
}
