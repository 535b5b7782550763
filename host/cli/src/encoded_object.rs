//! Reading an object that may be compressed or encrypted, and its hash.

use std::error::Error;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use bytes::{Buf, Bytes};
use partway_codec::{DecodeError, Decoder, Identities, MAGIC_BYTES, is_encoded};
use sha2::{Digest, Sha256};

use crate::advice::advice;

/// How much of a decoded object is handed on at a time.
const PIECE: usize = 256 * 1024;

/// How many such pieces may wait.
const MAX_WAITING: usize = 4;

/// How much is still decoded when what is in an object turns out to be wrong: more than the rest of any block of ours.
const CHECKED_AFTER_ERROR: u64 = 8 * 1024 * 1024;

/// The hash and the length of an object as it is stored: not of what is in it.
#[derive(Default)]
pub struct ObjectHasher {
    hasher: Sha256,
    bytes: u64,
}

impl ObjectHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// When all have come.
    pub fn finish(self) -> StoredObject {
        let sha256 = base16ct::lower::encode_string(&self.hasher.finalize());
        StoredObject { sha256, bytes: self.bytes }
    }
}

/// What an object is as it is stored: not what is in it.
pub struct StoredObject {
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

/// Hands on what is in an object, piece by piece, until `take` fails. `chunks` gives the object's bytes, and is asked for all
/// of them. They are decoded on another thread, ahead of `take`, if they are encoded.
pub fn decode<E>(
    mut chunks: impl FnMut() -> Option<Bytes> + Send,
    identities: &Identities,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), ObjectError<E>> {
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
        return Ok(());
    }
    let object = ObjectReader { chunks, chunk: first };
    let (sender, receiver) = mpsc::sync_channel(MAX_WAITING);
    let (taken, decoded) = thread::scope(|scope| {
        let decoding = scope.spawn(|| decode_into(object, identities, sender));
        let taken = receiver.iter().try_for_each(|piece| take(&piece));
        drop(receiver);
        (taken, decoding.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    // Of what can't be decoded, that says more than what came of it.
    decoded?;
    taken.map_err(ObjectError::Content)
}

/// Decodes an object, until nobody takes the pieces any more.
fn decode_into<F: FnMut() -> Option<Bytes>>(
    mut object: ObjectReader<F>,
    identities: &Identities,
    pieces: SyncSender<Vec<u8>>,
) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(&mut object, identities)?;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        decoder.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        if pieces.send(piece).is_err() {
            // Where bytes were altered, the block's own checksum says so, and only at its end.
            io::copy(&mut decoder.by_ref().take(CHECKED_AFTER_ERROR), &mut io::sink())?;
            break;
        }
    }
    drop((decoder, pieces));
    // What the decoder has no use for is part of the object all the same.
    io::copy(&mut object, &mut io::sink())?;
    Ok(())
}

/// An object's bytes.
struct ObjectReader<F> {
    chunks: F,
    chunk: Bytes,
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
        Ok(length)
    }
}
