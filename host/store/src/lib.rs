//! Where Partway's exports go: a folder, S3 or R2, behind one small trait.
//!
//! A [`Store`] holds objects, which are written part by part and appear when they are complete. It
//! is a [`FolderStore`], or an [`ObjectStore`] for S3, R2 and compatible servers. [`StoreAddress`]
//! opens either from a path or URL. An [`Upload`] takes the parts that a component writes in a
//! slice, and uploads them in parallel with the export.
//!
//! An object of two slices, as a host that may end between them writes it:
//!
//! ```
//! use partway_store::{HashState, StoreAddress, Upload};
//! use partway_wasmtime::parts::Parts;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let address = folder.path().display().to_string();
//! // `address` is a folder, `s3://bucket/prefix` or `r2://account/bucket/prefix`.
//! let store = address.parse::<StoreAddress>()?.open()?;
//! let name = store.free_name("dump.sql").await?;
//! let upload = store.begin(&name).await?;
//!
//! // What a host saves with the checkpoint, besides `upload`:
//! let (mut part_ids, mut length, mut hash) = (Vec::new(), 0, HashState::default());
//! for slice in [vec![vec![b'a'; 4096], vec![b'b'; 4096]], vec![vec![b'c'; 10]]] {
//!     let written = part_ids.len() as u32;
//!     let (mut parts, pending) = Upload::new(store.clone(), upload.clone(), 4096, written, &hash)?;
//!     // This is what the component does; `parts` goes into its context (`PipeCtx::builder().build(rows, parts)`).
//!     for (number, bytes) in (written + 1..).zip(slice) {
//!         parts.write(number, &bytes).await?;
//!     }
//!     drop(parts);
//!     let uploaded = pending.finish().await?;
//!     // All parts of the slice are safe: now its checkpoint may be stored.
//!     part_ids.extend(uploaded.part_ids);
//!     length += uploaded.bytes;
//!     hash = uploaded.hash;
//! }
//!
//! let object = store.complete(&upload, &part_ids, length).await?;
//! assert_eq!(store.stat(&object.name).await?.length, 8202);
//! println!("{}: SHA-256 {}", store.location(&object.name), hash.finish().ok_or("a damaged state")?);
//! # Ok(())
//! # }
//! ```
//!
//! # A client of your own
//!
//! An [`ObjectStore`] uses the trait [`Bucket`](bucket::Bucket), whose methods are single requests
//! of S3's API. [`ObjectStore::new`] accepts any implementation of it.
//!
//! # Features
//!
//! - `http`: [`HttpObject`], an object to read at any URL, with TLS.
//! - `s3` (default): the client for S3, R2 and compatible servers, from the crate `object_store`,
//!   with TLS. Without it, the address of a bucket gives [`AddressError::MissingFeature`].

mod address;
pub mod bucket;
mod error;
mod folder;
mod hash;
#[cfg(feature = "http")]
mod http_object;
mod names;
mod object;
mod parallel_read;
mod part_buffers;
mod part_sequence;
mod part_size;
#[cfg(feature = "s3")]
mod s3;
mod small_object;
mod store;
mod upload;

pub use address::{AddressError, ObjectAddress, StoreAddress};
pub use error::StoreError;
pub use folder::FolderStore;
pub use hash::{DamagedHash, HashState};
#[cfg(feature = "http")]
pub use http_object::HttpObject;
pub use names::numbered_name;
pub use object::ObjectStore;
pub use parallel_read::read_in_ranges;
pub use part_buffers::{BufferReturn, FreeBuffers, part_buffers};
pub use part_sequence::PartSequence;
pub use part_size::{PartSizeError, part_size};
pub use small_object::write_object;
pub use store::{
    CompletedObject, IncompleteUpload, ObjectBytes, ObjectStat, ObjectVersion, PartId,
    SLOWEST_UPLOAD_BYTES_PER_SECOND, Store, StoreLimits, UploadId,
};
pub use upload::{PendingUpload, Upload, UploadedParts};
