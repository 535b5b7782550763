//! How long the stock program takes to restore each of the two dumps of a database.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use partway_testbed::Shape;

use super::databases::shaped;
use super::measured::{in_turn, measure, measure_any};
use super::peers::{Peer, Programs};
use super::report::Table;
use crate::demo::ignore_missing;

/// It takes long, and varies little.
const MOST_ROUNDS: u32 = 3;

pub fn restores(programs: &Programs, folder: &Path, size: u64, rounds: u32) -> Result<Vec<Table>> {
    let database = shaped(folder, Shape::Real, size)?;
    println!("\n-- restoring {}", Shape::Real.description());
    let dumps = [folder.join("theirs.sql"), folder.join("ours.sql")];
    for (peer, dump) in [Peer::Dump, Peer::Partway].into_iter().zip(&dumps) {
        measure(peer.command(programs, &database).stdout(File::create(dump)?))?;
    }
    let restored = folder.join("restored.db");
    let [theirs, ours] =
        in_turn(rounds.min(MOST_ROUNDS), ["dump by .dump", "dump by partway"], |which| {
            fs::remove_file(&restored).or_else(ignore_missing)?;
            let mut restore = Command::new("sqlite3");
            restore.arg(&restored).stdin(File::open(&dumps[which])?);
            // From its own dump, the program may refuse statistics that it was built without.
            Ok(measure_any(restore.stdout(Stdio::null()).stderr(Stdio::null()))?.0)
        })?;
    for file in dumps.iter().chain([&restored]) {
        fs::remove_file(file)?;
    }
    let mut table = Table::new(
        "Restoring with `sqlite3`",
        "Medians, in seconds, for the realistic shape.",
        &["dump by `.dump`", "dump by partway", "`.dump` / partway"],
    );
    table.row(vec![
        format!("{:.2}", theirs.seconds()),
        format!("{:.2}", ours.seconds()),
        format!("{:.2}", theirs.seconds() / ours.seconds()),
    ]);
    Ok(vec![table])
}
