//! Manifests: what is in an exported object, beside it as `NAME.manifest.json`.
//!
//! A [`Manifest`] says how the object was made, and what its parts and tables are, with a hash for each. A
//! [`ManifestChecker`] compares an object with its manifest while the object is read, and names the parts and tables that
//! are not as they were. docs/MANIFEST.md describes the file.
//!
//! ```
//! use partway_manifest::{Manifest, ManifestChecker};
//!
//! # fn check(manifest: &[u8], object: &[u8], sha256: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let mut checker = ManifestChecker::new(Manifest::from_json(manifest)?);
//! let (mut stored, mut contents) = checker.streams();
//! for chunk in object.chunks(64 * 1024) {
//!     stored(chunk);
//!     contents(chunk); // what is in it: decrypted and decompressed, if it is encoded
//! }
//! drop((stored, contents));
//! for problem in checker.finish(Some(sha256)) {
//!     println!("the object {problem}");
//! }
//! # Ok(())
//! # }
//! ```

mod checker;
mod hex;
mod manifest;
mod set;

pub use checker::{ManifestChecker, ManifestProblem};
pub use manifest::{
    MANIFEST_SUFFIX, Manifest, ManifestContents, ManifestError, ManifestFilter, ManifestObject,
    ManifestPart, ManifestTable, begins_as_manifest, manifest_name,
};
pub use set::ManifestSet;
