//! Compressing one block: a function of its bytes and the options alone, for any number of threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use libdeflater::{CompressionLvl, Compressor as Deflater};
use zstd::bulk::Compressor as ZstdCompressor;

use crate::compression::Compression;
use crate::encoding::Encoding;
use crate::error::EncodeError;

/// Compresses blocks. Clones share their compressors, of which there are as many as blocks are worked on at a time.
#[derive(Clone)]
pub struct BlockEncoder {
    compression: Option<Compression>,
    free: Arc<Mutex<Vec<Compressor>>>,
}

enum Compressor {
    Zstd(ZstdCompressor<'static>),
    Gzip(Deflater),
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
    /// [`EncodeError::Compress`].
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

impl Compressor {
    fn new(compression: Compression) -> Result<Self, EncodeError> {
        Ok(match compression {
            Compression::Zstd(level) => {
                let mut compressor = ZstdCompressor::new(level.into()).map_err(failed)?;
                compressor.include_checksum(true).map_err(failed)?;
                Self::Zstd(compressor)
            }
            Compression::Gzip(level) => {
                let level = CompressionLvl::new(level.into())
                    .map_err(|error| failed(format!("{error:?}")))?;
                Self::Gzip(Deflater::new(level))
            }
        })
    }

    fn compress(&mut self, block: &[u8]) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Zstd(compressor) => compressor.compress(block).map_err(failed),
            Self::Gzip(compressor) => {
                let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
                let length = compressor.gzip_compress(block, &mut member).map_err(failed)?;
                member.truncate(length);
                Ok(member)
            }
        }
    }
}

fn failed(error: impl fmt::Display) -> EncodeError {
    EncodeError::Compress(error.to_string())
}
