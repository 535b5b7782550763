//! The command line.

mod serve;

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use partway_jobs::{object_name, settings};
use partway_store::{ObjectAddress, StoreAddress};

pub use serve::ServeArguments;

/// Exports SQLite databases of any size to a folder, S3 or R2, in bounded slices.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Export a database as SQL text
    ///
    /// Without --to, the dump goes to standard output, as with `sqlite3 DATABASE .dump`. With --to, the export is a job:
    /// if it is interrupted, run the same command again to resume it.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.")]
    Export(ExportArguments),

    /// List, show, resume, cancel and prune jobs: exports that are running, interrupted or finished
    #[command(subcommand)]
    Jobs(JobsCommand),

    /// Serve exports over HTTP: start them, watch them, download them
    ///
    /// GET /export/dump responds with the dump, or with where it will be when it is done. With --store, exports are jobs
    /// that survive a restart. Without, each dump is streamed in its response and not kept.
    #[command(
        after_help = "SIGTERM or Ctrl-C finishes open responses, saves running exports and stops; a second one stops at \
                      once. Exit codes: 0 stopped, 1 failed, 2 wrong usage."
    )]
    Serve(ServeArguments),

    /// Check that a dump is complete, and with --against that it restores to the same contents as a database
    ///
    /// Reads the dump once, from beginning to end, and prints its SHA-256. Restoring needs room for the database in the
    /// temporary folder (TMPDIR).
    #[command(
        after_help = "Exit codes: 0 all is well, 1 the dump is not complete, differs, or can't be read, \
                      2 wrong usage, 130 interrupted."
    )]
    Verify(VerifyArguments),
}

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

    /// Cancel jobs, and delete what they have in the store
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
    /// Looks for uploads in every store that a job has exported to, and in those given by --store. An upload that belongs
    /// to no job here may belong to another machine or program, so it is kept for a day: from its beginning, or in a
    /// folder from when it was last written to. Failed and cancelled jobs are kept while their stores may hold something of
    /// theirs.
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
    /// The folder that jobs are kept in [default: the platform's folder for application state]
    #[arg(long = "state", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

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

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The database file, which is opened read-only
    pub database: PathBuf,

    /// Where the object goes: a folder, file:///folder, s3://bucket/prefix (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers) or r2://account/bucket/prefix
    #[arg(long, value_name = "STORE")]
    pub to: Option<StoreAddress>,

    /// The object's name; a number is added if it is taken [default: dump_YYYYMMDD-HHMMSS.sql, in UTC]
    #[arg(long, requires = "to", value_parser = name)]
    pub name: Option<String>,

    /// The dump's format: one that the component knows
    #[arg(long, default_value = "sql")]
    pub format: String,

    /// Export only this table, with its indexes and triggers; may be repeated
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,

    /// The size of every part but the last, such as 8MiB: at least 4KiB for a folder, 5MiB for S3 and R2
    /// [default: 5MiB, more for databases over 9 GiB]
    #[arg(long, value_name = "SIZE", requires = "to", value_parser = size)]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: after --slice-time only]
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..))]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration)]
    pub slice_time: Duration,

    /// Wait this long between slices
    #[arg(long, value_name = "DURATION", requires = "to", default_value = "0s", value_parser = duration)]
    pub pause: Duration,

    /// How many times in a row a failed slice is retried: after 2 s, 4 s and so on
    #[arg(long, value_name = "N", requires = "to", default_value_t = 6)]
    pub retries: u32,

    /// Export even if the same database is already being exported to the same store
    #[arg(long, requires = "to")]
    pub concurrent: bool,

    /// Use this export component instead of the one inside the program
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,

    /// The folder that jobs are kept in, with all that is needed to resume them [default: the platform's folder for
    /// application state]
    #[arg(long, value_name = "DIR", requires = "to")]
    pub state: Option<PathBuf>,

    /// Leave out the rowids of tables that have no INTEGER PRIMARY KEY
    #[arg(long)]
    pub no_rowids: bool,

    /// What will load the dump [default: sqlite, the sqlite3 program]
    #[arg(long, value_enum)]
    pub target: Option<Target>,

    /// How the database's state is kept for the length of the export
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub snapshot: SnapshotMode,

    /// What to do if the database has changed since an export was interrupted
    #[arg(long, value_enum, value_name = "POLICY", requires = "to", default_value = "restart")]
    pub on_change: OnChange,

    /// Print a summary as one line of JSON on standard output
    #[arg(long, requires = "to")]
    pub json: bool,
}

/// `--target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The stock sqlite3 program
    Sqlite,
    /// D1 or a Durable Object: statements under 100,000 bytes, no transaction, no writes to the schema table
    D1,
}

impl From<Target> for partway_jobs::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Sqlite => Self::Sqlite,
            Target::D1 => Self::D1,
        }
    }
}

/// `--snapshot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SnapshotMode {
    /// In WAL mode, hold. Otherwise hold if the export takes only seconds, and copy if not
    Auto,
    /// Read in one transaction: in WAL mode writers continue and the log grows; otherwise writers wait
    Hold,
    /// Copy the database to the state folder first: outside WAL mode writers wait while it is copied, and an interrupted
    /// export can be resumed whatever has been written since
    Copy,
}

impl From<SnapshotMode> for partway_jobs::SnapshotMode {
    fn from(mode: SnapshotMode) -> Self {
        match mode {
            SnapshotMode::Auto => Self::Auto,
            SnapshotMode::Hold => Self::Hold,
            SnapshotMode::Copy => Self::Copy,
        }
    }
}

/// `--on-change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnChange {
    /// Start over, with the database as it is now
    Restart,
    /// Fail, and leave no object
    Fail,
}

impl From<OnChange> for partway_jobs::OnChange {
    fn from(policy: OnChange) -> Self {
        match policy {
            OnChange::Restart => Self::Restart,
            OnChange::Fail => Self::Fail,
        }
    }
}

impl ExportArguments {
    /// The format's settings that differ from their defaults: a component by somebody else may know none of them.
    pub fn settings(&self) -> Vec<(String, String)> {
        settings(self.no_rowids, self.target.map(Into::into))
    }
}

fn name(text: &str) -> Result<String, String> {
    object_name(text).map_err(|error| match text.contains(['/', '\\']) {
        true => format!("{error}; give the folder or prefix with --to"),
        false => error.to_string(),
    })
}

fn size(text: &str) -> Result<u64, String> {
    let size: ByteSize =
        text.parse().map_err(|_| "not a size: write it like 8MiB or 8388608".to_owned())?;
    Ok(size.as_u64())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration: write it like 25s, 500ms or 2m".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("not a SHA-256: write its 64 hexadecimal digits".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_and_durations_are_understood() {
        assert_eq!(size("8MiB"), Ok(8 * 1024 * 1024));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("many").is_err());
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_sha256_has_64_digits() {
        assert_eq!(sha256(&"aF".repeat(32)), Ok("af".repeat(32)));
        for text in ["", "af", &"af".repeat(33), &"xy".repeat(32), &"ä".repeat(32)] {
            assert!(sha256(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_stays_where_it_belongs() {
        assert!(object_name("dump.sql").is_ok());
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b"] {
            assert!(object_name(name).is_err(), "{name}");
        }
    }
}
