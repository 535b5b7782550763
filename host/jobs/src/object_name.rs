//! Names of objects: plain ones, that stay within a store's folder or prefix.

use jiff::Timestamp;
use partway_codec::Encoding;

use crate::set_names::timed_set_name;

/// The longest name, in bytes. Folders allow 255, and hidden, numbered and incomplete files have
/// longer names.
const MAX_NAME_BYTES: usize = 200;

/// The name of an object that is given none: `dump_YYYYMMDD-HHMMSS.FORMAT`, in UTC, and what says how it is encoded.
pub fn default_name(now: Timestamp, format: &str, encoding: &Encoding) -> String {
    timed_name("dump", now, format, encoding)
}

/// A name like the default one, with another word than `dump` at its beginning.
pub fn timed_name(word: &str, now: Timestamp, format: &str, encoding: &Encoding) -> String {
    format!("{}.{format}{}", timed_set_name(word, now), encoding.suffix())
}

/// Why a name can't be used for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectNameError {
    /// It has more than 200 bytes.
    #[error("too long: a name may have at most {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// It has more than 100 bytes, and names of tables are added to it.
    #[error("too long: with a table's name added to it, a name may have at most 100 bytes")]
    TooLongForSet,
    /// It is empty, hidden, or leads out of the store's folder or prefix.
    #[error("not a plain name: it must not contain a slash or begin with a dot")]
    NotPlain,
}

/// Checks a name for an object: it must stay in the store's folder or prefix, and not be hidden there.
///
/// # Errors
///
/// All of [`ObjectNameError`].
pub fn object_name(text: &str) -> Result<String, ObjectNameError> {
    if text.len() > MAX_NAME_BYTES {
        return Err(ObjectNameError::TooLong);
    }
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
        return Err(ObjectNameError::NotPlain);
    }
    Ok(text.to_owned())
}
