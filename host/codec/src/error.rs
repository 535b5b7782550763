//! Why bytes can't be encoded or decoded.

use std::io;

use partway_compression::CompressError;

/// Why a block or stream can't be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The compressor failed: there is no memory, for example.
    #[error("the object can't be compressed: {0}")]
    Compress(String),
    /// A block could not be compressed.
    #[error(transparent)]
    Block(#[from] CompressError),
    /// The object can't be encrypted to these recipients.
    #[error("the object can't be encrypted: {0}")]
    Encrypt(String),
    /// What was saved of a stream is damaged.
    #[error("the saved state of the encoding is damaged: start the export over")]
    Damaged,
}

/// Why an object can't be decoded. As a predicate: put the object's name before it.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Read(io::Error),
    /// Its compressed bytes are not as they were written.
    #[error("is damaged: {0}")]
    Damaged(io::Error),
    /// It ends before what is compressed or encrypted ends.
    #[error("is incomplete: it is cut off")]
    CutOff,
    /// It can't be decrypted from some byte on: age can't tell whether bytes are altered or missing.
    #[error("is cut off or altered: it can't be decrypted to its end")]
    Altered,
    /// It is encrypted, and no identities were given.
    #[error("is encrypted")]
    NoIdentity,
    /// It is encrypted to others.
    #[error("is encrypted to others, or its header is damaged: none of the keys given decrypts it")]
    WrongIdentity,
    /// Its header is damaged, or of a newer version of age.
    #[error("is encrypted, but its header is damaged or newer than this program: {0}")]
    BadHeader(String),
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Each format has its own words for it.
            io::ErrorKind::UnexpectedEof => Self::CutOff,
            _ if error.get_ref().is_some_and(|inner| inner.is::<Altered>()) => Self::Altered,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Damaged(error),
            _ => Self::Read(error),
        }
    }
}

/// What the decrypting reader says of bytes that are not as they were encrypted: the readers above it pass it on.
#[derive(Debug, thiserror::Error)]
#[error("what is encrypted is cut off or altered")]
pub(crate) struct Altered;
