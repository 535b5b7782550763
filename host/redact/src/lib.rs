//! Redaction: a policy in TOML, and the component that obeys it.
//!
//! [`read_policy`] reads a policy, [`redacting_exporter`] puts it into the exporter of `partway-prebuilt`, and
//! [`redacting`] in front of any other export component. The result is a component of the world `export-component` with the
//! policy inside, which any host runs like any other. It contains the policy's key.
//!
//! ```
//! use partway_redact::{parse_policy, redacting_exporter};
//!
//! let policy = parse_policy("
//!     unlisted = 'keep'
//!     key = 'an example of a key for hashes'
//!     [tables.users]
//!     columns = { email = 'hash', name = 'mask', phone = 'null', notes = 'drop' }
//! ")?;
//! let component = redacting_exporter(&policy)?;
//! # Ok::<(), partway_redact::RedactError>(())
//! ```

mod compose;
mod policy_component;
mod policy_file;

pub use compose::{redacting, redacting_exporter, redacting_parquet};
pub use partway_redactor::{
    Comparison, Dependents, Literal, Policy, PolicyError, RowFilter, Rule, TablePolicy, Unlisted,
};
pub use policy_file::{parse_policy, read_policy};

/// Why there is no component that redacts.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The policy or its key can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The policy is not TOML, or says something else than policies do.
    #[error("the policy can't be read: {0}")]
    Toml(String),
    /// The policy has both a key and a file for it.
    #[error("the policy has both key and key_file: remove one of them")]
    TwoKeys,
    /// A policy from text names a file for its key.
    #[error("the policy names a file for its key, but is no file itself: give it the key")]
    KeyFile,
    /// The key is not text.
    #[error("the key in {} is not text: use something like the output of `openssl rand -hex 32`", path.display())]
    BinaryKey {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The policy can't be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The export component does not import rows, or is none.
    #[error("the redactor can't be put in front of the export component: {0}")]
    Compose(String),
}
