//! The command line of `partway redact-component`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct RedactArguments {
    /// The policy, in TOML
    pub policy: PathBuf,

    /// The file for the new component; one that exists is not overwritten
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// Put the policy in front of this export component instead of the one inside the program
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
}
