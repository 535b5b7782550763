//! The command line.

mod encoding;
mod export;
mod jobs;
mod keys;
mod redact;
mod restore;
mod serve;
mod values;
mod verify;

use clap::{Parser, Subcommand};

pub use export::ExportArguments;
pub use jobs::{JobsCommand, StateArguments};
pub use redact::RedactArguments;
pub use restore::RestoreArguments;
pub use serve::{LogFormat, ServeArguments};
pub use verify::{Dump, VerifyArguments};

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
    /// Without --to, the dump goes to standard output, as with `sqlite3 DATABASE .dump`. With --to, the
    /// export is a job: if it is interrupted, run the same command again to resume it.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.")]
    Export(ExportArguments),

    /// Make an export component that leaves personal data out, as a policy says
    ///
    /// It exports like the component inside the program, but what the policy keeps back never reaches it. Any host
    /// can run it, such as `partway export --component`. It contains the key of the policy's hashes: keep it as safe as
    /// that.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    RedactComponent(RedactArguments),

    /// List, show, resume, cancel and prune jobs: exports that are running, interrupted or finished
    #[command(subcommand)]
    Jobs(JobsCommand),

    /// Serve exports over HTTP: start them, watch them, download them
    ///
    /// GET /export/dump responds with the dump, or with where it will be when it is done. With --store,
    /// exports are jobs that survive a restart. Without, each dump is streamed in its response and not kept.
    #[command(
        after_help = "SIGTERM or Ctrl-C finishes open responses, saves running exports and stops; a second one stops at \
                      once. Exit codes: 0 stopped, 1 failed, 2 wrong usage."
    )]
    Serve(ServeArguments),

    /// Restore a dump into a new database
    ///
    /// The database appears when the dump is read to its end, complete, and safe on disk. Until then it is in a hidden
    /// file beside it. Killed, the same command starts over.
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.")]
    Restore(RestoreArguments),

    /// Check that a dump is complete, and with --against that it restores to the same contents as a database
    ///
    /// Reads the dump once, from beginning to end, and prints its SHA-256. Restoring needs room for the
    /// database in the temporary folder (TMPDIR).
    #[command(
        after_help = "Exit codes: 0 no problem found, 1 the dump is incomplete, differs, or can't be read, \
                      2 wrong usage, 130 interrupted."
    )]
    Verify(VerifyArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
