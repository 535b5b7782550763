//! The command line of `partway restore`.

use std::path::PathBuf;

use clap::Args;

use super::keys::DecryptionArguments;
use super::values::sha256;
use super::verify::Dump;

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The dump: a file or a pipe, - for standard input, s3://bucket/key (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers), r2://account/bucket/key, or an https:// address (PARTWAY_TOKEN is sent as its
    /// bearer token); compressed by zstd or gzip, encrypted by age, or not
    pub dump: Dump,

    /// The database to make, which must not exist
    pub database: PathBuf,

    #[command(flatten)]
    pub decryption: DecryptionArguments,

    /// The SHA-256 that the dump must have, as printed by export --json [default: that of NAME.manifest.json beside the dump,
    /// if it is there]
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<String>,

    /// Pay no attention to a manifest beside the dump
    #[arg(long)]
    pub no_manifest: bool,

    /// Restore also what could be exported of a damaged database
    #[arg(long)]
    pub allow_incomplete: bool,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}
