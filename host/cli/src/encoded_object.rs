//! Reading an object that may be compressed or encrypted, and its hash.

use std::error::Error;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use partway_codec::{DecodeError, Decoder, Identities, MAGIC_BYTES, is_encoded};
use sha2::{Digest, Sha256};

use crate::advice::advice;

/// How much of a decoded object is handed on at a time.
const PIECE: usize = 256 * 1024;

/// How much is still decoded when what is in an object turns out to be wrong: more than the rest of any block of ours.
const CHECKED_AFTER_ERROR: u64 = 8 * 1024 * 1024;

/// What an object is as it is stored: not what is in it.
pub struct EncodedObject {
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// Why an object can't be used. As a predicate: put its name before it.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError<E> {
    /// It can't be decoded.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    /// What is in it is wrong.
    #[error(transparent)]
    Content(E),
}

impl<E: Error + 'static> ObjectError<E> {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Encoding(error) => advice(error),
            Self::Content(error) => advice(error),
        }
    }
}

/// Hands on what is in an object, piece by piece, until `take` fails. None: it is not encoded. `chunks` gives the object's
/// bytes.
pub fn decode<E>(
    mut chunks: impl FnMut() -> Option<Bytes>,
    identities: &Identities,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Option<EncodedObject>, ObjectError<E>> {
    let mut first = chunks().unwrap_or_default();
    // A pipe may give as little at a time as is written to it.
    while first.len() < MAGIC_BYTES
        && let Some(chunk) = chunks()
    {
        first = [first, chunk].concat().into();
    }
    if !is_encoded(&first) {
        take(&first).map_err(ObjectError::Content)?;
        while let Some(chunk) = chunks() {
            take(&chunk).map_err(ObjectError::Content)?;
        }
        return Ok(None);
    }
    let mut object = ObjectReader { chunks, chunk: first, hasher: Sha256::new(), bytes: 0 };
    let mut decoder = Decoder::new(&mut object, identities)?;
    let mut piece = vec![0; PIECE];
    loop {
        match decoder.read(&mut piece).map_err(DecodeError::from)? {
            0 => break,
            length => {
                if let Err(error) = take(&piece[..length]) {
                    // Where bytes were altered, the block's own checksum says so, and only at its end.
                    let rest = &mut decoder.by_ref().take(CHECKED_AFTER_ERROR);
                    io::copy(rest, &mut io::sink()).map_err(DecodeError::from)?;
                    return Err(ObjectError::Content(error));
                }
            }
        }
    }
    drop(decoder);
    // What the decoder has no use for is part of the object all the same.
    io::copy(&mut object, &mut io::sink()).map_err(DecodeError::from)?;
    let sha256 = base16ct::lower::encode_string(&object.hasher.finalize());
    Ok(Some(EncodedObject { sha256, bytes: object.bytes }))
}

/// An object's bytes, hashed as they are read.
struct ObjectReader<F> {
    chunks: F,
    chunk: Bytes,
    hasher: Sha256,
    bytes: u64,
}

impl<F: FnMut() -> Option<Bytes>> Read for ObjectReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match (self.chunks)() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        let (read, _) = buffer.split_at_mut(length);
        self.chunk.copy_to_slice(read);
        self.hasher.update(&*read);
        self.bytes += length as u64;
        Ok(length)
    }
}
