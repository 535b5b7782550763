//! Partway's own tasks: `cargo xtask setup | demo | test | garage | fidelity | bench | slices | record | wit | package | dist`.

mod apt;
mod bench;
mod browser;
mod demo;
mod dist;
mod fidelity;
mod garage;
mod package;
mod python;
mod record;
mod run;
mod setup;
mod test;
mod wit;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Partway's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make this machine able to build the component
    Setup,
    /// Export a database in slices, restore it, and compare the two
    Demo {
        /// A database of your own; without one, a sample of about 100 MB is made
        database: Option<PathBuf>,
    },
    /// Run every test, and check that no speed was lost
    Test {
        /// Also those that take long
        #[arg(long)]
        long: bool,
    },
    /// Start a real S3 server (Garage) that goes on, and print what a shell needs to use it
    Garage {
        /// Where its data go
        folder: PathBuf,
    },
    /// Write docs/FIDELITY.md: what a dump keeps of each hard case
    Fidelity,
    /// Measure how fast exports are, beside `sqlite3 .dump` and others, and write docs/PERFORMANCE.md
    Bench(bench::Arguments),
    /// Measure what it costs to cut an export into slices
    Slices {
        /// The size of the generated database, in megabytes; the default makes parts of about 5 MiB
        #[arg(long, default_value_t = 4800, value_parser = clap::value_parser!(u64).range(1..))]
        megabytes: u64,
        /// How many pairs of runs
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        pairs: u32,
    },
    /// Record docs/resume.svg: an export that is killed and resumed
    Record {
        /// A program that is built already; without one, it is built
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
    },
    /// Copy the contract, wit/, into the crates that pack it
    Wit,
    /// Package all crates, and try the packages: install the program and run an embedder from them alone
    Package,
    /// Write the component as a file of its own
    Dist,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Setup => setup::setup(),
        Task::Demo { database } => demo::demo(database),
        Task::Test { long } => test::test(long),
        Task::Garage { folder } => garage::garage(&folder),
        Task::Fidelity => fidelity::fidelity(),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::Slices { megabytes, pairs } => bench::slices(megabytes, pairs),
        Task::Record { program } => record::record(program),
        Task::Wit => wit::wit(),
        Task::Package => package::package(),
        Task::Dist => dist::dist(),
    }
}
