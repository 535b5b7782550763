//! The command line of `partway verify`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use partway_store::{AddressError, ObjectAddress};

use super::values::sha256;

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The dump: a file or a pipe, - for standard input, s3://bucket/key (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers) or r2://account/bucket/key
    pub dump: Dump,

    /// Restore the dump into a temporary file, and compare every cell with this database, which is opened
    /// read-only
    #[arg(long, value_name = "DATABASE")]
    pub against: Option<PathBuf>,

    /// The SHA-256 that the dump must have, as printed by export --json. Of an object in another format than sql, nothing
    /// else is checked
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<String>,

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
}

impl FromStr for Dump {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-" => Ok(Self::StandardInput),
            address => Ok(Self::Object(address.parse()?)),
        }
    }
}
