//! The codec component, of the world `codec-component`: the WIT package's interface `codec` over `partway-compression`,
//! which the program uses as it is. So both write the same bytes.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

use bindings::exports::partway::pipe::codec;
use partway_compression::{CompressError, Compression, CompressionError, Compressor};

mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "codec-component",
    });
    use super::Codec;
    export!(Codec);
}

struct Codec;

thread_local! {
    /// The compressor of the last block, whose memory serves for the next one.
    static COMPRESSOR: RefCell<Option<(Compression, Compressor)>> = const { RefCell::new(None) };
}

impl codec::Guest for Codec {
    fn start(options: codec::Options) -> Result<codec::Description, codec::Error> {
        let compression = compression(&options)?;
        let (suffix, media_type) = (compression.suffix(), compression.media_type());
        Ok(codec::Description {
            suffix: suffix.to_owned(),
            media_type: media_type.to_owned(),
            head: Vec::new(),
        })
    }

    fn encode(options: codec::Options, _: u32, block: Vec<u8>) -> Result<Vec<u8>, codec::Error> {
        let compression = compression(&options)?;
        let kept = COMPRESSOR.take().filter(|(of, _)| *of == compression);
        let mut compressor = match kept {
            Some((_, compressor)) => compressor,
            None => Compressor::new(compression)?,
        };
        let encoded = compressor.compress(&block)?;
        COMPRESSOR.set(Some((compression, compressor)));
        Ok(encoded)
    }

    fn finish(
        options: codec::Options,
        length: u64,
        sizes: Vec<u32>,
    ) -> Result<Vec<u8>, codec::Error> {
        let tail = compression(&options)?.tail(options.block_size, length, &sizes);
        tail.ok_or_else(|| {
            let blocks = sizes.len();
            let text =
                format!("{blocks} blocks of {} bytes are not {length} bytes", options.block_size);
            codec::Error::InvalidOptions(text)
        })
    }
}

/// What the options ask for: an encoding, and its setting `level`.
fn compression(options: &codec::Options) -> Result<Compression, codec::Error> {
    let mut text = options.encoding.clone();
    for (name, value) in &options.settings {
        if name != "level" {
            let text =
                format!("{} has no setting {name:?}: its setting is level", options.encoding);
            return Err(codec::Error::InvalidOptions(text));
        }
        text.push(':');
        text.push_str(value);
    }
    Ok(text.parse()?)
}

impl From<CompressionError> for codec::Error {
    fn from(error: CompressionError) -> Self {
        Self::InvalidOptions(error.to_string())
    }
}

impl From<CompressError> for codec::Error {
    fn from(error: CompressError) -> Self {
        Self::Failed(error.to_string())
    }
}
