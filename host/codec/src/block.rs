//! Compressing blocks on any number of threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partway_compression::{Compression, Compressor};

use crate::encoding::Encoding;
use crate::error::EncodeError;

/// Compresses blocks. Clones share their compressors, of which there are as many as blocks are worked on at a time.
#[derive(Clone)]
pub struct BlockEncoder {
    compression: Option<Compression>,
    free: Arc<Mutex<Vec<Compressor>>>,
}

impl fmt::Debug for BlockEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockEncoder")
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl BlockEncoder {
    /// For blocks of an object that is encoded like this.
    pub fn new(encoding: &Encoding) -> Self {
        Self { compression: encoding.compression, free: Arc::default() }
    }

    /// Compresses a block: to a frame of zstd, or to a member of gzip.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Block`].
    pub fn encode(&self, block: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let Some(compression) = self.compression else { return Ok(block.to_vec()) };
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compressor = match free {
            Some(compressor) => compressor,
            None => Compressor::new(compression)?,
        };
        let encoded = compressor.compress(block)?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        Ok(encoded)
    }
}
