//! The command line of `partway verify`.

use std::path::PathBuf;

use clap::Args;
use partway_store::ObjectAddress;

use super::values::sha256;

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The dump: a file, s3://bucket/key (with the AWS_* variables; AWS_ENDPOINT_URL for other servers) or
    /// r2://account/bucket/key
    pub dump: ObjectAddress,

    /// Restore the dump into a temporary file, and compare every cell with this database, which is opened
    /// read-only
    #[arg(long, value_name = "DATABASE")]
    pub against: Option<PathBuf>,

    /// The SHA-256 that the dump must have, as printed by export --json
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<String>,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}
