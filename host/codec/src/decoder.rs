//! Decoding an object: what it is, its first bytes say.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use age::{DecryptError, Decryptor};
use flate2::bufread::MultiGzDecoder;
use partway_compression::SKIPPABLE_MAGIC;

use crate::error::{Altered, DecodeError};
use crate::keys::Identity;
use crate::zstd_frames::ZstdFrames;

const AGE_MAGIC: &[u8] = b"age-encryption.org/";
const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// How much of a compressed object is read at a time.
const BUFFER: usize = 128 * 1024;

/// How many of an object's first bytes say how it is encoded.
pub const MAGIC_BYTES: usize = AGE_MAGIC.len();

/// Whether an object that begins like this is encoded: compressed or encrypted. Its first [`MAGIC_BYTES`] are needed.
pub fn is_encoded(head: &[u8]) -> bool {
    head.starts_with(AGE_MAGIC) || is_zstd(head) || head.starts_with(&GZIP_MAGIC)
}

fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&ZSTD_MAGIC) || head.starts_with(&SKIPPABLE_MAGIC)
}

/// The decoded bytes of an object: decrypted, decompressed, or as they are.
///
/// What is damaged or cut off gives an error at the latest at its end, as far as the format tells: of a compressed object
/// without its last blocks, only its content does.
pub struct Decoder<'a>(Box<dyn Read + 'a>);

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl<'a> Decoder<'a> {
    /// Reads the beginning of an object. The identities are used if it is encrypted.
    ///
    /// # Errors
    ///
    /// All of [`DecodeError`].
    pub fn new(object: impl Read + 'a, identities: &[Identity]) -> Result<Self, DecodeError> {
        let (head, object) = Headed::new(object, MAGIC_BYTES)?;
        if head != AGE_MAGIC {
            return Self::decompress(object);
        }
        if identities.is_empty() {
            return Err(DecodeError::NoIdentity);
        }
        let decryptor =
            Decryptor::new_buffered(BufReader::with_capacity(BUFFER, object)).map_err(refused)?;
        let keys = identities.iter().map(|identity| &identity.0 as &dyn age::Identity);
        Self::decompress(Decrypted(decryptor.decrypt(keys).map_err(refused)?))
    }

    fn decompress(object: impl Read + 'a) -> Result<Self, DecodeError> {
        let (head, object) = Headed::new(object, ZSTD_MAGIC.len())?;
        Ok(Self(if is_zstd(&head) {
            Box::new(ZstdFrames::new(object)?)
        } else if head.starts_with(&GZIP_MAGIC) {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, object)))
        } else {
            Box::new(object)
        }))
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

fn refused(error: DecryptError) -> DecodeError {
    match error {
        DecryptError::NoMatchingKeys => DecodeError::WrongIdentity,
        DecryptError::Io(error) => error.into(),
        error => DecodeError::BadHeader(error.to_string()),
    }
}

/// What age decrypts. Its words for damage are told apart from those of compressed contents.
struct Decrypted<R>(R);

impl<R: Read> Read for Decrypted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => io::Error::new(io::ErrorKind::InvalidData, Altered),
            _ => error,
        })
    }
}

/// A reader whose first bytes have been looked at.
struct Headed<R>(io::Chain<Cursor<Vec<u8>>, R>);

impl<R: Read> Headed<R> {
    /// The first bytes, fewer if there are no more, and the reader with them.
    fn new(mut reader: R, length: usize) -> io::Result<(Vec<u8>, Self)> {
        let mut head = Vec::with_capacity(length);
        reader.by_ref().take(length as u64).read_to_end(&mut head)?;
        Ok((head.clone(), Self(Cursor::new(head).chain(reader))))
    }
}

impl<R: Read> Read for Headed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
