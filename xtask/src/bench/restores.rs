//! How long it takes to restore a dump: with the stock program, and with Partway.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use partway_testbed::Shape;

use super::bound::Bound::{self, AtLeast};
use super::databases::shaped;
use super::measured::{in_turn, measure, measure_any};
use super::peers::{Peer, Programs};
use super::report::Table;
use crate::demo::ignore_missing;
use crate::run::shown;

/// It takes long, and varies little.
const MOST_ROUNDS: u32 = 3;

/// Of the stock program's time to Partway's, for the same dump.
const FASTER: Bound = AtLeast(2.0);

/// What is restored, and by what.
const ROWS: [(&str, &str); 4] = [
    ("by `.dump`", "`sqlite3`"),
    ("by partway", "`sqlite3`"),
    ("by partway", "partway"),
    ("by partway, in zstd", "partway"),
];

pub fn restores(programs: &Programs, folder: &Path, size: u64, rounds: u32) -> Result<Vec<Table>> {
    let database = shaped(folder, Shape::Real, size)?;
    println!("\n-- restoring {}", Shape::Real.description());
    let dumps = [folder.join("theirs.sql"), folder.join("ours.sql")];
    for (peer, dump) in [Peer::Dump, Peer::Partway].into_iter().zip(&dumps) {
        measure(peer.command(programs, &database).stdout(File::create(dump)?))?;
    }
    let restored = folder.join("restored.db");
    let compressed = folder.join("ours.sql.zst");
    let mut compress = Peer::Partway.command(programs, &database);
    measure(compress.args(["--compress", "zstd"]).stdout(File::create(&compressed)?))?;
    let names = ["sqlite3, .dump", "sqlite3, ours", "partway, ours", "partway, zstd"];
    let runs = in_turn(rounds.min(MOST_ROUNDS), names, |which| {
        fs::remove_file(&restored).or_else(ignore_missing)?;
        let partway = |dump: &Path| {
            let mut restore = Command::new(&programs.partway);
            restore.arg("restore").arg(dump).arg(&restored);
            restore
        };
        let mut restore = match which {
            2 => partway(&dumps[1]),
            3 => partway(&compressed),
            _ => {
                let mut restore = Command::new("sqlite3");
                restore.arg(&restored).stdin(File::open(&dumps[which])?);
                restore
            }
        };
        // From its own dump, the program may refuse statistics that it was built without.
        let (run, status) = measure_any(restore.stdout(Stdio::null()).stderr(Stdio::null()))?;
        ensure!(which == 0 || status.success(), "{} failed ({status})", shown(&restore));
        Ok(run)
    })?;
    for file in dumps.iter().chain([&restored, &compressed]) {
        fs::remove_file(file)?;
    }
    let mut table = Table::new(
        "Restoring",
        "Medians, in seconds, for the realistic shape: `sqlite3 new.db < dump.sql`, and `partway restore`.",
        &[
            "dump",
            "restored by",
            "seconds",
            "times as fast as `sqlite3` with our dump",
            "CPU, seconds",
            "peak memory, MB",
        ],
    );
    let stock = runs[1].seconds();
    for (which, (dump, by)) in ROWS.into_iter().enumerate() {
        let run = &runs[which];
        let faster = stock / run.seconds();
        table.row(vec![
            dump.to_owned(),
            by.to_owned(),
            format!("{:.2}", run.seconds()),
            if by == "partway" { FASTER.judged(faster) } else { format!("{faster:.2}") },
            format!("{:.2}", run.cpu_seconds()),
            format!("{:.0}", run.peak_megabytes()),
        ]);
    }
    Ok(vec![table])
}
