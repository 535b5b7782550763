//! The command line.

mod serve;

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use partway_jobs::{object_name, sql_settings};
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
    /// Without --to, the dump goes to standard output, as that of `sqlite3 DATABASE .dump` does.
    /// The same command again goes on with an export that was cut off.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.")]
    Export(ExportArguments),

    /// Look after exports: those that run, those that were cut off, those that are finished
    #[command(subcommand)]
    Jobs(JobsCommand),

    /// Serve exports over HTTP: ask for one, watch it, download it
    ///
    /// GET /export/dump answers with the dump, or with where to find it when it is done. With --store, exports are
    /// jobs that survive a restart; without, each dump is streamed in its answer.
    #[command(
        after_help = "SIGTERM and Ctrl-C let open answers come to their end and save what is being exported; a second one stops at \
                      once. Exit codes: 0 stopped, 1 failed, 2 wrong usage."
    )]
    Serve(ServeArguments),

    /// Check a dump: that it is whole, and with --against that it restores to what a database holds
    ///
    /// Reads the dump once, from its beginning to its end, and prints its SHA-256. Restoring needs room for the
    /// database in the folder for temporary files (TMPDIR).
    #[command(
        after_help = "Exit codes: 0 all is well, 1 the dump is not whole, differs, or can't be read, \
                            2 wrong usage, 130 interrupted."
    )]
    Verify(VerifyArguments),
}

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List all jobs, the newest first
    List {
        /// Print each job as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Tell all of a job
    Show {
        /// The job, or how its id begins
        job: String,
        /// Print it as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Cancel jobs, and throw away what they have in the store
    Cancel {
        /// The jobs, or how their ids begin
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Go on with jobs until they are finished; failed and cancelled ones begin anew
    #[command(after_help = "Exit codes: 0 done, 1 one has failed, 2 wrong usage, 130 interrupted.")]
    Resume {
        /// The jobs, or how their ids begin [default: all that are unfinished and that nobody runs]
        #[arg(value_name = "JOB")]
        jobs: Vec<String>,
        /// Print a summary of each as one line of JSON on standard output
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },

    /// Forget finished jobs, and throw away unfinished uploads that no job owns
    ///
    /// Uploads are looked for in all stores that jobs have exported to, and in those given. An upload
    /// of another machine's, or another program's, is one that no job here owns: it is left alone
    /// until it began a day ago, or in a folder was last written to then. Failed and cancelled jobs
    /// are kept as long as something in their stores may be theirs.
    Prune {
        /// Also look for uploads in this store; may be repeated
        #[arg(long = "store", value_name = "STORE")]
        stores: Vec<StoreAddress>,
        /// Forget only jobs that have been finished for so long, such as 12h or 7d
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
        finished_for: Duration,
        /// Throw away only uploads that began so long ago, or in a folder were last written to then
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        uploads_older_than: Duration,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Debug, Args)]
pub struct StateArguments {
    /// The folder that jobs are kept in [default: the platform's folder for state]
    #[arg(long = "state", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The dump: a file, s3://bucket/key (by the AWS_* variables, AWS_ENDPOINT_URL for other servers) or
    /// r2://account/bucket/key
    pub dump: ObjectAddress,

    /// Restore the dump into a temporary file, and compare every cell with this database; it is opened
    /// read-only
    #[arg(long, value_name = "DATABASE")]
    pub against: Option<PathBuf>,

    /// The SHA-256 that the dump must have, such as an export's --json told
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub sha256: Option<String>,

    /// Print the outcome as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The database file; it is opened read-only
    pub database: PathBuf,

    /// Where the object goes: a folder, file:///folder, s3://bucket/prefix (by the AWS_* variables,
    /// AWS_ENDPOINT_URL for other servers) or r2://account/bucket/prefix
    #[arg(long, value_name = "STORE")]
    pub to: Option<StoreAddress>,

    /// The object's name; one that is taken gets a number [default: dump_YYYYMMDD-HHMMSS.sql, in UTC]
    #[arg(long, requires = "to", value_parser = object_name)]
    pub name: Option<String>,

    /// The format, one that the component knows
    #[arg(long, default_value = "sql")]
    pub format: String,

    /// Only this table, with its indexes and triggers; may be repeated
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,

    /// The size of every part but the last, such as 8MiB: from 4KiB for a folder, from 5MiB for S3 and
    /// R2 [default: 5MiB, more for databases beyond 9 GiB]
    #[arg(long, value_name = "SIZE", requires = "to", value_parser = size)]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: by time alone]
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..))]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration)]
    pub slice_time: Duration,

    /// Rest for this time between slices
    #[arg(long, value_name = "DURATION", requires = "to", default_value = "0s", value_parser = duration)]
    pub pause: Duration,

    /// How often a slice that failed is tried again, from 2 s on doubling
    #[arg(long, value_name = "N", requires = "to", default_value_t = 6)]
    pub retries: u32,

    /// Export though the same database is being exported to the same store
    #[arg(long, requires = "to")]
    pub concurrent: bool,

    /// Use this component instead of the one inside the program
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,

    /// The folder that jobs are kept in, with what a cut-off export needs to go on [default: the
    /// platform's folder for state]
    #[arg(long, value_name = "DIR", requires = "to")]
    pub state: Option<PathBuf>,

    /// Leave out the rowids of tables that have no INTEGER PRIMARY KEY
    #[arg(long)]
    pub no_rowids: bool,

    /// Who is to load the dump [default: sqlite, the sqlite3 program]
    #[arg(long, value_enum)]
    pub target: Option<Target>,

    /// How the state of the database is kept for the length of the export
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub snapshot: SnapshotMode,

    /// What to do with an export that was cut off when the database has changed since: start over, or fail
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
    /// A Durable Object or D1: statements under 100,000 bytes, no transaction, no writing of the schema table
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
    /// Hold in WAL mode, where writers go on; otherwise hold for exports that take seconds, and copy for others
    Auto,
    /// Read in one transaction: in WAL mode the log grows meanwhile, otherwise writers wait
    Hold,
    /// Copy the database first, to the state folder: writers wait no longer than that takes, and an export that
    /// was cut off goes on whatever has been written since
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
    /// Start over, from the database's present state
    Restart,
    /// Fail: no object comes out
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
    /// The settings of the format that differ from its defaults: a component of somebody else's may know none.
    pub fn settings(&self) -> Vec<(String, String)> {
        sql_settings(self.no_rowids, self.target.map(Into::into))
    }
}

fn size(text: &str) -> Result<u64, String> {
    let size: ByteSize =
        text.parse().map_err(|_| "not a size: write 8MiB, or 8388608".to_owned())?;
    Ok(size.as_u64())
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration: write 25s, 500ms or 2m".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("not a SHA-256: it has 64 hexadecimal digits".to_owned());
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
