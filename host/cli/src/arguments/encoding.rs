//! The options for how objects are encoded.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use partway_codec::{Codec, Compression, Encoding};
use partway_jobs::codec_component;

use super::keys::EncryptionArguments;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct EncodingArguments {
    /// Compress objects: zstd or gzip, with a level such as zstd:9, which any zstd or gzip program reads; or what --codec
    /// knows [default: not at all; level 1]
    #[arg(long, value_name = "FORMAT[:LEVEL]")]
    pub compress: Option<String>,

    /// Compress with this codec component instead of what is inside the program; to read the object again is up to you
    #[arg(long, value_name = "FILE", requires = "compress")]
    pub codec: Option<PathBuf>,

    #[command(flatten)]
    pub encryption: EncryptionArguments,
}

impl EncodingArguments {
    /// How objects are encoded. Loads the codec component, if there is one.
    ///
    /// # Errors
    ///
    /// If the compression is unknown, a file can't be read, or something is no recipient or no codec.
    pub fn encoding(&self) -> Result<Encoding, Failure> {
        let recipients = self.encryption.recipients()?;
        Ok(Encoding { compression: self.compression()?, recipients })
    }

    fn compression(&self) -> Result<Option<Codec>, Failure> {
        let Some(compression) = &self.compress else { return Ok(None) };
        Ok(Some(match &self.codec {
            Some(file) => {
                let component = codec_component(file, compression).map_err(|error| {
                    if error.is_wrong_request() {
                        Failure::usage(error)
                    } else {
                        Failure::from(error)
                    }
                })?;
                Codec::Component(component)
            }
            None => {
                let compression = compression.parse::<Compression>();
                let compression =
                    compression.map_err(|error| Failure::usage(anyhow!("--compress: {error}")))?;
                Codec::BuiltIn(compression)
            }
        }))
    }
}
