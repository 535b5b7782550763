//! The command line of `partway jobs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use partway_store::StoreAddress;

use super::values::duration;

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List all jobs, newest first
    List {
        /// Print each job as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Show everything about a job
    Show {
        /// The job's id, or its first digits
        job: String,
        /// Print the job as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Cancel jobs, and delete their data in the store
    Cancel {
        /// The jobs' ids, or their first digits
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Resume jobs and run them to their end; failed and cancelled ones start over
    #[command(
        after_help = "Exit codes: 0 all are done, 1 one has failed, 2 wrong usage, 130 interrupted."
    )]
    Resume {
        /// The jobs' ids, or their first digits [default: all unfinished jobs that no process is running]
        #[arg(value_name = "JOB")]
        jobs: Vec<String>,
        /// Print a summary of each job as one line of JSON on standard output
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Forget finished jobs, and delete unfinished uploads that belong to no job
    ///
    /// Looks for uploads in every store that a job has exported to, and in those given by --store. An upload
    /// that belongs to no job here may belong to another machine or program, so it is kept for a day: from
    /// its beginning, or in a folder from when it was last written to. Failed and cancelled jobs are kept
    /// while their stores may still contain their data.
    Prune {
        /// Look for uploads in this store too; may be repeated
        #[arg(long = "store", value_name = "STORE")]
        stores: Vec<StoreAddress>,
        /// Forget only jobs that finished at least this long ago, such as 12h or 7d
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
        finished_for: Duration,
        /// Delete only uploads that began at least this long ago; in a folder, that were last written to then
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        uploads_older_than: Duration,
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Debug, Args)]
pub struct StateArguments {
    /// The folder where jobs are kept [default: the platform's folder for application state]
    #[arg(long = "state", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
