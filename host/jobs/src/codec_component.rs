//! Objects that codec components compress.

use std::fmt;
use std::path::{Path, PathBuf};

use partway_codec::{BlockCodec, BlockEncoder, Codec, CodecComponent, CompressBlock, EncodeError};
use partway_wasmtime::codec::{Codec as LoadedCodec, CodecError, Options as CodecOptions};
use partway_wasmtime::{Limits, LoadError};

/// The block size by which a component is asked what it makes, before that of the object is known.
const EXAMPLE_BLOCK: u32 = 1024 * 1024;

/// Why a codec component can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecComponentError {
    /// It can't be loaded.
    #[error("the codec {} can't be used: {reason}", file.display())]
    Load {
        /// Its file.
        file: PathBuf,
        /// Why not.
        reason: LoadError,
    },
    /// It refuses what it is asked for, or failed.
    #[error("the codec {} can't be used: {reason}", file.display())]
    Start {
        /// Its file.
        file: PathBuf,
        /// What it says.
        reason: CodecError,
    },
    /// It is another one than the object was begun with.
    #[error(
        "the codec {} is another one than the export was started with: put that one back, \
         or export again; a service loads its codec when it starts",
        .0.display()
    )]
    Changed(PathBuf),
}

impl CodecComponentError {
    /// Whether it does not know the compression that it is asked for.
    pub fn is_wrong_request(&self) -> bool {
        matches!(self, Self::Start { reason: CodecError::InvalidOptions(_), .. })
    }
}

/// Loads a codec component, to learn what it makes of objects that it compresses by `compression`: `NAME` or `NAME:LEVEL`.
/// Takes about a second for a component that is not in the cache of compiled components.
///
/// # Errors
///
/// All of [`CodecComponentError`] but the last.
pub fn codec_component(
    file: &Path,
    compression: &str,
) -> Result<CodecComponent, CodecComponentError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let codec = load(&file, EXAMPLE_BLOCK)?;
    match codec.start(&codec_options(compression, EXAMPLE_BLOCK)) {
        Ok(description) => Ok(CodecComponent {
            file,
            sha256: codec.digest().to_owned(),
            compression: compression.to_owned(),
            suffix: description.suffix,
            media_type: description.media_type,
        }),
        Err(reason) => Err(CodecComponentError::Start { file, reason }),
    }
}

/// What encodes an object's blocks. Loads the component, if it is one.
pub(crate) fn block_encoder(
    codec: Option<&Codec>,
    block_size: u32,
) -> Result<BlockEncoder, CodecComponentError> {
    let component = match codec {
        Some(Codec::Component(component)) => component,
        Some(Codec::BuiltIn(compression)) => return Ok(BlockEncoder::new(Some(*compression))),
        None => return Ok(BlockEncoder::new(None)),
    };
    let codec = load(&component.file, block_size)?;
    if codec.digest() != component.sha256 {
        return Err(CodecComponentError::Changed(component.file.clone()));
    }
    let options = codec_options(&component.compression, block_size);
    let description = codec
        .start(&options)
        .map_err(|reason| CodecComponentError::Start { file: component.file.clone(), reason })?;
    let head = description.head;
    Ok(BlockEncoder::with_codec(ComponentBlocks { codec, options, head }))
}

fn load(file: &Path, block_size: u32) -> Result<LoadedCodec, CodecComponentError> {
    match LoadedCodec::from_file(file) {
        Ok(codec) => Ok(codec.with_limits(Limits::for_part_size(block_size))),
        Err(reason) => Err(CodecComponentError::Load { file: file.to_owned(), reason }),
    }
}

/// `NAME:LEVEL` as the contract has it.
fn codec_options(compression: &str, block_size: u32) -> CodecOptions {
    let (encoding, settings) = match compression.split_once(':') {
        Some((name, level)) => (name, vec![("level".to_owned(), level.to_owned())]),
        None => (compression, vec![]),
    };
    CodecOptions { encoding: encoding.to_owned(), block_size, settings }
}

/// A component at work on an object.
struct ComponentBlocks {
    codec: LoadedCodec,
    options: CodecOptions,
    head: Vec<u8>,
}

impl fmt::Debug for ComponentBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentBlocks").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl BlockCodec for ComponentBlocks {
    fn head(&self) -> &[u8] {
        &self.head
    }

    fn compressor(&self) -> Result<CompressBlock, EncodeError> {
        let mut encoder = self.codec.encoder(&self.options).map_err(failed)?;
        Ok(Box::new(move |number, block| encoder.encode(number, block).map_err(failed)))
    }

    fn has_tail(&self) -> bool {
        true
    }

    fn tail(&self, _: u32, length: u64, sizes: &[u32]) -> Result<Vec<u8>, EncodeError> {
        self.codec.finish(&self.options, length, sizes).map_err(failed)
    }
}

fn failed(error: CodecError) -> EncodeError {
    EncodeError::Compress(error.to_string())
}
