//! Names of objects: plain ones, that stay within a store's folder or prefix.

/// The longest name, in bytes. Folders allow 255, and hidden, numbered and incomplete files have
/// longer names.
const MAX_NAME_BYTES: usize = 200;

/// Why a name can't be used for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectNameError {
    /// It has more than 200 bytes.
    #[error("too long: a name may have at most {MAX_NAME_BYTES} bytes")]
    TooLong,
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
