//! Encryption as age has it: a header for the recipients, then chunks of 64 KiB, each sealed by itself.
//!
//! The library writes a stream in one go and keeps its key to itself. Here the key is kept, so that another process can
//! go on: the library makes the header, and the chunks follow the specification's section "Payload".

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;

use age::secrecy::ExposeSecret;
use age::{EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};
use age_core::primitives::hkdf;
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce};
use serde::{Deserialize, Serialize};

use crate::error::EncodeError;
use crate::keys::Recipient;
use crate::stream::base64_bytes;

/// The bytes of a chunk, before it is sealed.
const CHUNK: usize = 64 * 1024;

/// The bytes of a file's key, and of the nonce behind the header.
const KEY: usize = 16;

/// Seals a stream's chunks, in order.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub(crate) struct Sealer {
    file_key: [u8; KEY],
    nonce: [u8; KEY],
    cipher: ChaCha20Poly1305,
    /// Chunks sealed so far.
    chunks: u64,
    /// What is not sealed yet: the chunk that may be the last.
    pending: Vec<u8>,
}

/// A [`Sealer`] as it is saved. It holds the object's key: keep it as safe as the database.
#[derive(Serialize, Deserialize)]
struct Saved {
    #[serde(with = "base64_bytes")]
    file_key: Vec<u8>,
    #[serde(with = "base64_bytes")]
    nonce: Vec<u8>,
    chunks: u64,
    #[serde(with = "base64_bytes")]
    pending: Vec<u8>,
}

impl Sealer {
    /// Draws a key for an object, and gives the header that its recipients can open.
    pub(crate) fn begin(recipients: &[Recipient]) -> Result<(Self, Vec<u8>), EncodeError> {
        let failed = |error: &dyn fmt::Display| EncodeError::Encrypt(error.to_string());
        let witness = KeyWitness { recipients, file_key: OnceCell::new() };
        let encryptor =
            Encryptor::with_recipients(std::iter::once(&witness as &dyn age::Recipient))
                .map_err(|error| failed(&error))?;
        let mut header = Vec::new();
        // Nothing is written to it, and it is not finished: the chunks are made here.
        drop(encryptor.wrap_output(&mut header).map_err(|error| failed(&error))?);
        let nonce = header.last_chunk::<KEY>().copied();
        match (witness.file_key.into_inner(), nonce) {
            (Some(file_key), Some(nonce)) => {
                Ok((Self::new(file_key, nonce, 0, Vec::new()), header))
            }
            _ => Err(failed(&"it has no key")),
        }
    }

    fn new(file_key: [u8; KEY], nonce: [u8; KEY], chunks: u64, pending: Vec<u8>) -> Self {
        let cipher = ChaCha20Poly1305::new(&hkdf(&nonce, b"payload", &file_key).into());
        Self { file_key, nonce, cipher, chunks, pending }
    }

    /// Takes the next bytes, and appends the chunks that are known not to be the last.
    pub(crate) fn seal(
        &mut self,
        mut bytes: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        while self.pending.len() + bytes.len() > CHUNK {
            let (first, rest) = bytes.split_at(CHUNK - self.pending.len());
            self.pending.extend_from_slice(first);
            bytes = rest;
            self.seal_pending(false, sealed)?;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends the last chunk.
    pub(crate) fn end(&mut self, sealed: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.seal_pending(true, sealed)
    }

    fn seal_pending(&mut self, is_last: bool, sealed: &mut Vec<u8>) -> Result<(), EncodeError> {
        // The number in 11 bytes, big-endian, then whether it is the last.
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.chunks.to_be_bytes());
        nonce[11] = is_last.into();
        let start = sealed.len();
        sealed.extend_from_slice(&self.pending);
        let tag = self
            .cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut sealed[start..])
            .map_err(|error| EncodeError::Encrypt(error.to_string()))?;
        sealed.extend_from_slice(&tag);
        self.pending.clear();
        self.chunks += 1;
        Ok(())
    }
}

impl From<Sealer> for Saved {
    fn from(sealer: Sealer) -> Self {
        let Sealer { file_key, nonce, chunks, pending, .. } = sealer;
        Self { file_key: file_key.to_vec(), nonce: nonce.to_vec(), chunks, pending }
    }
}

impl TryFrom<Saved> for Sealer {
    type Error = EncodeError;

    fn try_from(saved: Saved) -> Result<Self, EncodeError> {
        let Saved { file_key, nonce, chunks, pending } = saved;
        match (file_key.try_into(), nonce.try_into()) {
            (Ok(file_key), Ok(nonce)) if pending.len() <= CHUNK => {
                Ok(Self::new(file_key, nonce, chunks, pending))
            }
            _ => Err(EncodeError::Damaged),
        }
    }
}

/// Without its key.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

/// All recipients as one, who is told the key as each of them is.
struct KeyWitness<'a> {
    recipients: &'a [Recipient],
    file_key: OnceCell<[u8; KEY]>,
}

impl age::Recipient for KeyWitness<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let mut stanzas = Vec::new();
        let mut labels = HashSet::new();
        for recipient in self.recipients {
            let (for_one, its_labels) = recipient.key().wrap_file_key(file_key)?;
            stanzas.extend(for_one);
            labels.extend(its_labels);
        }
        self.file_key.get_or_init(|| *file_key.expose_secret());
        Ok((stanzas, labels))
    }
}
