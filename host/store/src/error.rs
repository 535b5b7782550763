//! What can go wrong with a store.

use std::io;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such folder or bucket.
    #[error("{location} does not exist: create it first")]
    NotFound {
        /// The folder or bucket.
        location: String,
    },
    /// The store refuses this user.
    #[error("{location} may not be written to: {reason}")]
    Refused {
        /// The store or object.
        location: String,
        /// The store's words.
        reason: String,
    },
    /// No room is left.
    #[error("{location} is full: make room")]
    Full {
        /// The store or object.
        location: String,
    },
    /// The upload that was begun is not there any more, or lacks a part that was written.
    #[error(
        "the upload of {location}, or a part of it, is gone from the store (it was aborted, or has \
         expired): start the export over"
    )]
    UploadGone {
        /// The object.
        location: String,
    },
    /// Another object has got the name between beginning and completing.
    #[error("another object has become {location} meanwhile: export again under another name")]
    Taken {
        /// The object.
        location: String,
    },
    /// There is no such object to read.
    #[error("there is no {location}: check the name")]
    NoObject {
        /// The object, or its bucket.
        location: String,
    },
    /// An object can't be read, or not to its end.
    #[error("{location} can't be read: {reason}")]
    Unreadable {
        /// The object.
        location: String,
        /// The store's or the system's words.
        reason: String,
    },
    /// Another reason; trying again may help.
    #[error("{location} can't be written: {reason}")]
    Failed {
        /// The store or object.
        location: String,
        /// The store's or the system's words.
        reason: String,
    },
}

impl StoreError {
    /// Whether doing the same again later may help, with nothing done by anybody. Where it does not, the upload is
    /// lost with [`StoreError::UploadGone`] and [`StoreError::Taken`] alone: after the others somebody may set right
    /// what is wrong, and it goes on.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Full { .. } | Self::Unreadable { .. } => true,
            Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::UploadGone { .. }
            | Self::Taken { .. }
            | Self::NoObject { .. } => false,
        }
    }

    /// What an error of the file system means for `location`.
    pub(super) fn from_io(location: &str, error: &io::Error) -> Self {
        let location = location.to_owned();
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

    /// What an error of the object store means for `location`.
    pub(super) fn from_object_store(location: &str, error: &object_store::Error) -> Self {
        let location = location.to_owned();
        let reason = words(error);
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound { location },
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Self::Refused { location, reason },
            _ => Self::Failed { location, reason },
        }
    }

    /// What an error of the file system means for reading `location`.
    pub(super) fn from_reading(location: &str, error: &io::Error) -> Self {
        let location = location.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NoObject { location },
            _ => Self::Unreadable { location, reason: error.to_string() },
        }
    }

    /// What an error of the object store means for reading `location` in `bucket`.
    pub(super) fn from_reading_object(
        location: &str,
        bucket: &str,
        error: &object_store::Error,
    ) -> Self {
        let reason = words(error);
        match error {
            // It may be that the whole bucket is not there.
            object_store::Error::NotFound { .. } if reason.contains("NoSuchBucket") => {
                Self::NoObject { location: format!("bucket {bucket}") }
            }
            object_store::Error::NotFound { .. } => {
                Self::NoObject { location: location.to_owned() }
            }
            _ => Self::Unreadable { location: location.to_owned(), reason },
        }
    }
}

/// The words of an error of the object store.
pub(super) fn words(error: &object_store::Error) -> String {
    // The innermost cause says what happened; those around it, that a request failed.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match error.to_string() {
        text if text.contains(&cause.to_string()) => text,
        text => format!("{text}: {cause}"),
    }
}
