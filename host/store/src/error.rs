//! What can go wrong with a store, and whether waiting helps.

use std::io;

/// Why a store did not carry out a call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such folder or bucket.
    #[error("{location} does not exist: create it first")]
    NotFound {
        /// The folder or bucket.
        location: String,
    },
    /// The store refuses this user.
    #[error("{location} can't be written to: {reason}")]
    Refused {
        /// The store or object.
        location: String,
        /// The store's or the system's message.
        reason: String,
    },
    /// There is no space left.
    #[error("{location} is full: free some space")]
    Full {
        /// The store or object.
        location: String,
    },
    /// The upload is not there any more, or lacks a part that was written.
    #[error(
        "the upload of {location}, or a part of it, is gone from the store (it was aborted or has expired): start the \
         export over"
    )]
    UploadGone {
        /// The object.
        location: String,
    },
    /// Another object has taken the name since the upload began.
    #[error("another object now has the name {location}: export again under another name")]
    Taken {
        /// The object.
        location: String,
    },
    /// There is no such object to read.
    #[error("{location} does not exist: check the name")]
    NoObject {
        /// The object, or its bucket.
        location: String,
    },
    /// An object can't be read, or not to the end.
    #[error("{location} can't be read: {reason}")]
    Unreadable {
        /// The object.
        location: String,
        /// The store's or the system's message.
        reason: String,
    },
    /// Any other reason; retrying may help.
    #[error("{location} can't be written: {reason}")]
    Failed {
        /// The store or object.
        location: String,
        /// The store's or the system's message.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later, without any intervention.
    ///
    /// Of the permanent errors, [`StoreError::UploadGone`] and [`StoreError::Taken`] end the
    /// upload. After the others, it can resume once someone has fixed the cause.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Full { .. } | Self::Unreadable { .. } => true,
            Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::UploadGone { .. }
            | Self::Taken { .. }
            | Self::NoObject { .. } => false,
        }
    }

    /// Interprets an error of the file system on writing to `location`.
    pub(crate) fn from_writing(location: String, error: &io::Error) -> Self {
        let reason = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { location },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::NotADirectory => Self::Refused { location, reason },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { location },
            _ => Self::Failed { location, reason },
        }
    }

    /// Interprets an error of the file system on reading `location`.
    pub(crate) fn from_reading(location: String, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NoObject { location },
            _ => Self::Unreadable { location, reason: error.to_string() },
        }
    }
}
