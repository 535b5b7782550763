//! `cargo xtask bench`: how fast Partway is compared with others, in one run, A B A B.
//!
//! | module | contents |
//! |---|---|
//! | `shapes` | every shape of database, into `/dev/null` |
//! | `folder` | the same, to a folder, until it is on disk |
//! | `start` | how soon output begins |
//! | `memory` | peak memory, and whether it grows |
//! | `encoded` | compressed, encrypted, and the database file itself |
//! | `s3` | to an S3 server on this machine |
//! | `lines` | the same, behind a slow line |
//! | `restores` | restoring with `sqlite3` and with Partway |
//! | `slices` | `cargo xtask slices`: what it costs to cut an export into slices |
//! | `check` | whether speed was lost |
//! | `peers` | which programs are measured |
//! | `databases` | what is exported |
//! | `measured` | running a command, and medians |
//! | `slow_line` | a relay that lets little through |
//! | `bound` | targets for numbers |
//! | `machine` | the machine and versions measured |
//! | `report` | tables, and `docs/PERFORMANCE.md` |

mod bound;
mod check;
mod databases;
mod encoded;
mod folder;
mod lines;
mod machine;
mod measured;
mod memory;
mod peers;
mod report;
mod restores;
mod s3;
mod shapes;
mod slices;
mod slow_line;
mod start;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::machine::Machine;
use self::peers::Programs;
use self::report::DOCUMENT;
use crate::setup::setup;

pub use self::check::check;
pub use self::slices::slices;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The size of the generated databases, in megabytes
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u64).range(1..))]
    megabytes: u64,
    /// How many rounds to measure, after a warm-up round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Also measure what takes long: the memory for a database of 5 GB
    #[arg(long)]
    long: bool,
    /// Measure only this, without changing the document
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// Only check that no speed was lost, which takes a minute
    #[arg(long, conflicts_with_all = ["megabytes", "rounds", "long", "only"])]
    check: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Shapes,
    Folder,
    Start,
    Memory,
    Encoded,
    S3,
    Lines,
    Restores,
}

/// Measures, prints tables, and writes them into the document.
pub fn bench(arguments: &Arguments) -> Result<()> {
    setup()?;
    if arguments.check {
        return check();
    }
    let &Arguments { megabytes, rounds, long, .. } = arguments;
    let what = match arguments.only.as_slice() {
        [] => What::value_variants(),
        only => only,
    };
    // Look first for what may be missing: the rest takes long.
    let machine = Machine::look()?;
    let needs_s3 = what.iter().any(|what| matches!(what, What::S3 | What::Lines));
    let tools = needs_s3.then(s3::Tools::install).transpose()?;
    let programs = Programs::build()?;
    let folder = databases::folder()?;

    let mut tables = Vec::new();
    for what in what {
        let measured = match (what, &tools) {
            (What::Shapes, _) => shapes::shapes(&programs, &folder, megabytes, rounds)?,
            (What::Folder, _) => folder::folder(&programs, &folder, megabytes, rounds)?,
            (What::Start, _) => start::start(&programs, &folder, megabytes)?,
            (What::Memory, _) => memory::memory(&programs, &folder, long)?,
            (What::S3, Some(tools)) => s3::s3(&programs, tools, &folder, megabytes, rounds)?,
            (What::Lines, Some(tools)) => {
                lines::lines(&programs, tools, &folder, megabytes, rounds)?
            }
            (What::S3 | What::Lines, None) => continue,
            (What::Encoded, _) => encoded::encoded(&programs, &folder, megabytes, rounds)?,
            (What::Restores, _) => restores::restores(&programs, &folder, megabytes, rounds)?,
        };
        for table in &measured {
            print!("\n{table}");
        }
        tables.extend(measured);
    }
    if !arguments.only.is_empty() {
        println!("Not everything was measured: {DOCUMENT} is unchanged.");
        return Ok(());
    }
    let long = if long { " --long" } else { "" };
    let command = format!("cargo xtask bench --megabytes {megabytes} --rounds {rounds}{long}");
    report::write(&command, &machine, &tables)
}
