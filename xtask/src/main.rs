//! Partway's development tasks:
//! `cargo xtask setup | demo | test | garage | fidelity | bench | slices | record | wit | new-component |
//! package | dist | codec | extension`.

mod all_wasi;
mod apt;
mod bench;
mod browser;
mod clang;
mod cloudflare;
mod codec;
mod codecs;
mod component;
mod demo;
mod dist;
mod extension;
mod fidelity;
mod garage;
mod new_component;
mod node;
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

/// Partway's development tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is needed to build the component
    Setup,
    /// Export a database in slices, restore it, and compare the two
    Demo {
        /// Your own database; without one, a sample of about 100 MB is generated
        database: Option<PathBuf>,
    },
    /// Run every test, and check that no speed was lost
    Test {
        /// Also run the slow tests
        #[arg(long)]
        long: bool,
    },
    /// Start a real S3 server (Garage) in the background, and print the variables that a shell
    /// needs to use it
    Garage {
        /// The folder for its data
        folder: PathBuf,
    },
    /// Write docs/FIDELITY.md: what a dump keeps of each hard case
    Fidelity,
    /// Measure how fast exports are, compared with `sqlite3 .dump` and others, and write
    /// docs/PERFORMANCE.md
    Bench(bench::Arguments),
    /// Measure what it costs to cut an export into slices
    Slices {
        /// The size of the generated database, in megabytes; the default makes parts of about 5 MiB
        #[arg(long, default_value_t = 4800, value_parser = clap::value_parser!(u64).range(1..))]
        megabytes: u64,
        /// The number of pairs of runs
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        pairs: u32,
    },
    /// Record docs/resume.svg: an export that is killed and resumed
    Record {
        /// A partway program that is already built; without it, one is built
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
    },
    /// Copy the contract, wit/, into the crates that package it
    Wit,
    /// Make a crate to begin an export component of your own with: it writes CSV, and has a test
    NewComponent {
        /// The crate's name
        name: String,
        /// The folder for it, which must not exist [default: the name]
        folder: Option<PathBuf>,
    },
    /// Package all crates, and test the packages: install the program and run an embedder from them
    /// alone
    Package,
    /// Write the components and the contract to files, in target/dist
    Dist,
    /// Build the codec component, for which a clang that knows wasm32 is needed: target/dist/partway-codec.wasm
    Codec,
    /// Build the loadable extension for SQLite: target/dist/partway.so
    Extension,
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
        Task::NewComponent { name, folder } => new_component::new_component(&name, folder),
        Task::Package => package::package(),
        Task::Dist => dist::dist(),
        Task::Codec => codec::codec(),
        Task::Extension => extension::extension(),
    }
}
