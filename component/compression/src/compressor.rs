//! Compressing one block: a function of its bytes and the options alone.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor as Deflater};
use zstd::bulk::Compressor as ZstdCompressor;

use crate::compression::Compression;

/// The compressor failed: there is no memory, for example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object can't be compressed: {0}")]
pub struct CompressError(String);

/// Compresses one block after another. It keeps its memory between them, and nothing else.
pub struct Compressor(Kind);

enum Kind {
    Zstd(ZstdCompressor<'static>),
    Gzip(Deflater),
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl Compressor {
    /// Takes the memory that the compression needs: from 1 MB at level 1 to 20 MB and more at the highest.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn new(compression: Compression) -> Result<Self, CompressError> {
        Ok(Self(match compression {
            Compression::Zstd(level) => {
                let mut compressor = ZstdCompressor::new(level.into()).map_err(failed)?;
                compressor.include_checksum(true).map_err(failed)?;
                Kind::Zstd(compressor)
            }
            Compression::Gzip(level) => {
                let level = CompressionLvl::new(level.into())
                    .map_err(|error| failed(format!("{error:?}")))?;
                Kind::Gzip(Deflater::new(level))
            }
        }))
    }

    /// Compresses a block: to a frame of zstd, or to a member of gzip.
    ///
    /// # Errors
    ///
    /// [`CompressError`].
    pub fn compress(&mut self, block: &[u8]) -> Result<Vec<u8>, CompressError> {
        match &mut self.0 {
            Kind::Zstd(compressor) => compressor.compress(block).map_err(failed),
            Kind::Gzip(compressor) => {
                let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
                let length = compressor.gzip_compress(block, &mut member).map_err(failed)?;
                member.truncate(length);
                Ok(member)
            }
        }
    }
}

fn failed(error: impl fmt::Display) -> CompressError {
    CompressError(error.to_string())
}
