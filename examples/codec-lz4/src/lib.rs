//! A codec: compresses each block to a frame of LZ4. Frames behind each other are one file, which any LZ4 program reads.

use std::io::{self, Write};

use exports::partway::pipe::codec::{Description, Error, Guest, Options};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

wit_bindgen::generate!({
    path: "../../wit",
    world: "codec-component",
});

struct Lz4;

impl Guest for Lz4 {
    fn start(options: Options) -> Result<Description, Error> {
        if options.encoding != "lz4" {
            let text = format!("{:?} is not a compression: this codec knows lz4", options.encoding);
            return Err(Error::InvalidOptions(text));
        }
        if let Some((name, _)) = options.settings.first() {
            return Err(Error::InvalidOptions(format!("lz4 has no {name} here: leave it out")));
        }
        Ok(Description {
            suffix: ".lz4".to_owned(),
            media_type: "application/x-lz4".to_owned(),
            head: Vec::new(),
        })
    }

    fn encode(_: Options, _: u32, block: Vec<u8>) -> Result<Vec<u8>, Error> {
        compress(&block).map_err(|error| Error::Failed(error.to_string()))
    }

    fn finish(_: Options, _: u64, _: Vec<u32>) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }
}

fn compress(block: &[u8]) -> io::Result<Vec<u8>> {
    // With a checksum, so that a reader notices what is damaged, and the length, so that it knows how much memory it takes.
    let frame = FrameInfo::new()
        .block_mode(BlockMode::Linked)
        .block_size(BlockSize::Max4MB)
        .content_checksum(true)
        .content_size(Some(block.len() as u64));
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::with_capacity(block.len()));
    encoder.write_all(block)?;
    Ok(encoder.finish()?)
}

export!(Lz4);
