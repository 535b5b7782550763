//! Why a slice of an export failed.

use partway_codec::EncodeError;
use partway_store::StoreError;
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::{ExportError, Summary};

use crate::codec_component::CodecComponentError;
use crate::idle_slices::MOST_IDLE_SLICES;

/// Why a slice of an export failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The component failed, or the database could not be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object can't be compressed or encrypted.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The codec component that is to compress the object can't be used.
    #[error(transparent)]
    Codec(#[from] CodecComponentError),
    /// The component ended a slice without having written a part or moved its checkpoint on: it would do so forever, or
    /// has made an object of nothing.
    #[error(
        "the component broke the contract: it ended a slice without writing a part or getting any further"
    )]
    NoProgress,
    /// The component has had [`MOST_IDLE_SLICES`](crate::MOST_IDLE_SLICES) slices in a row without writing a part.
    #[error(
        "the component gets nowhere: it has had {MOST_IDLE_SLICES} slices in a row without writing a part"
    )]
    TooIdle,
    /// The component wants another slice, although it has written the short part that must be an
    /// object's last.
    #[error("the component broke the contract: it wrote a short part but did not end the export")]
    ShortPart,
    /// The component says that it has written another object than it has: one of the two is wrong.
    #[error(
        "the component broke the contract: it reported {told_bytes} bytes in {told_parts} parts but wrote \
         {bytes} in {parts}"
    )]
    FalseSummary {
        /// The bytes in its summary.
        told_bytes: u64,
        /// The parts in its summary.
        told_parts: u32,
        /// The bytes that it wrote.
        bytes: u64,
        /// The parts that it wrote.
        parts: u64,
    },
    /// The saved hash can't be read.
    #[error("the saved state is damaged: start the export over")]
    Damaged,
}

impl JobError {
    /// [`JobError::FalseSummary`], unless the summary of an export tells what was written.
    pub(crate) fn check(summary: &Summary, bytes: u64, parts: u64) -> Result<(), Self> {
        let (told_bytes, told_parts) = (summary.bytes, summary.parts);
        if (told_bytes, u64::from(told_parts)) == (bytes, parts) {
            return Ok(());
        }
        Err(Self::FalseSummary { told_bytes, told_parts, bytes, parts })
    }

    /// Whether the same slice may succeed later: the store or a read failed, or the slice was asked
    /// to stop. A damaged database or wrong options are permanent.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Call(CallError::TooMany) => true,
            Self::Call(CallError::Exporter(error)) => matches!(
                error,
                ExportError::ReadFailed(_) | ExportError::WriteFailed(_) | ExportError::Interrupted
            ),
            _ => false,
        }
    }

    /// Whether the database is damaged where the export has to read.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Call(CallError::Exporter(ExportError::Corrupt(_))))
    }

    /// Whether the export was only asked to stop.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Call(CallError::Exporter(ExportError::Interrupted)))
    }
}
