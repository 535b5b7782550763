//! The command line of `partway verify`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use partway_store::{AddressError, ObjectAddress};
use url::Url;

use super::keys::DecryptionArguments;
use super::values::sha256;

#[derive(Debug, Clone, Args)]
pub struct VerifyArguments {
    /// The dump, or the manifest of an export with --each-table for all of its objects: a file or a pipe, - for standard input, s3://bucket/key (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers), r2://account/bucket/key, or an https:// address (PARTWAY_TOKEN is sent as its
    /// bearer token); compressed by zstd or gzip, encrypted by age, or not
    pub dump: Dump,

    /// Restore the dump into a temporary file, and compare every cell with this database, which is opened
    /// read-only
    #[arg(long, value_name = "DATABASE")]
    pub against: Option<PathBuf>,

    #[command(flatten)]
    pub decryption: DecryptionArguments,

    /// The SHA-256 that the object must have, as printed by export --json. In csv, ndjson, json and parquet, nothing else is
    /// checked
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<String>,

    /// The object's manifest; names the parts and tables that are not as they were [default: NAME.manifest.json beside the
    /// object, if it is there]
    #[arg(long, value_name = "MANIFEST")]
    pub manifest: Option<Dump>,

    /// Pay no attention to a manifest beside the object
    #[arg(long, conflicts_with = "manifest")]
    pub no_manifest: bool,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Where a dump is.
#[derive(Debug, Clone)]
pub enum Dump {
    /// `-`
    StandardInput,
    /// An object of a store, or a file.
    Object(ObjectAddress),
    /// What a web server gives out.
    Url(Url),
}

impl FromStr for Dump {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-" => Ok(Self::StandardInput),
            address => match Url::parse(address) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self::Url(url)),
                _ => Ok(Self::Object(address.parse()?)),
            },
        }
    }
}
