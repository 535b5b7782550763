//! Databases of each shape, dumped to nowhere: how fast Partway is, compared with others and with
//! what is possible.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use partway_testbed::Shape;

use super::bound::Bound::{self, AtLeast, AtMost};
use super::databases::{megabytes, shaped};
use super::measured::{in_turn, measure};
use super::peers::{Peer, Programs, printed};
use super::report::Table;
use crate::run::output;

/// The programs that take turns.
const PEERS: [Peer; 4] = [Peer::Dump, Peer::Partway, Peer::Floor, Peer::Native];
const NAMES: [&str; 4] = [".dump", "partway", "floor", "native"];

/// Of `.dump`'s time to Partway's.
const FASTER_THAN_DUMP: Bound = AtLeast(2.5);
const FASTER_THAN_DUMP_REAL: Bound = AtLeast(3.5);
/// Of the native formatter's time to Partway's.
const AS_FAST_AS_NATIVE: Bound = AtLeast(1.0);
/// Of Partway's time to the floor's.
const NEAR_THE_FLOOR: Bound = AtMost(1.2);
/// Of Partway's processor time to `.dump`'s.
const LESS_WORK_THAN_DUMP: Bound = AtMost(0.75);

pub fn shapes(programs: &Programs, folder: &Path, size: u64, rounds: u32) -> Result<Vec<Table>> {
    let (mut times, mut ratios) = tables();
    let has_python = output(Command::new("python3").args(["-c", "import sqlite3"])).is_ok();
    if !has_python {
        times.note("Python 3 with the module sqlite3 was not available.");
    }
    for shape in Shape::ALL {
        let database = shaped(folder, shape, size)?;
        println!("\n-- {} ({:.0} MB)", shape.description(), megabytes(&database)?);
        let sql = printed(&mut Peer::Partway.command(programs, &database))?;
        let native = printed(&mut Peer::Native.command(programs, &database))?;
        if sql != native {
            bail!(
                "for {}, Partway writes {sql} bytes and the native formatter {native}",
                shape.name()
            );
        }
        let [dump, ours, floor, native] = in_turn(rounds, NAMES, |which| {
            measure(&mut PEERS[which].command(programs, &database))
        })?;
        let python = if has_python {
            let run = measure(&mut Peer::Python.command(programs, &database))?;
            println!("once       iterdump {:.3} s", run.seconds);
            format!("{:.2}", run.seconds)
        } else {
            "–".to_owned()
        };
        let seconds = [&dump, &ours, &floor, &native].map(|runs| format!("{:.3}", runs.seconds()));
        let sizes = [megabytes(&database)?, sql as f64 / 1e6].map(|size| format!("{size:.0}"));
        let mut row = vec![shape.description().to_owned()];
        row.extend(sizes.into_iter().chain(seconds).chain([python]));
        times.row(row);
        let faster = if shape == Shape::Real { FASTER_THAN_DUMP_REAL } else { FASTER_THAN_DUMP };
        ratios.row(vec![
            shape.description().to_owned(),
            faster.judged(dump.seconds() / ours.seconds()),
            AS_FAST_AS_NATIVE.judged(native.seconds() / ours.seconds()),
            NEAR_THE_FLOOR.judged(ours.seconds() / floor.seconds()),
            LESS_WORK_THAN_DUMP.judged(ours.cpu_seconds() / dump.cpu_seconds()),
            format!("{:.2}", ours.cpu_seconds() / (sql as f64 / 1e9)),
            format!("{:.1}", ours.peak_megabytes()),
        ]);
    }
    Ok(vec![times, ratios])
}

/// The empty tables: seconds, and ratios.
fn tables() -> (Table, Table) {
    let times = Table::new(
        "Every shape of database, into /dev/null: seconds",
        "Medians. *Floor* steps to every row and reads every cell; *native* is the exporter's code outside \
         WebAssembly, on one thread; *iterdump* is Python's, from a single run.",
        &["shape", "database, MB", "SQL, MB", "`.dump`", "partway", "floor", "native", "iterdump"],
    );
    let ratios = Table::new(
        "Every shape of database, into /dev/null: ratios",
        "Targets are in brackets. CPU is the time on all processors; GB means GB of SQL.",
        &[
            "shape",
            "`.dump` / partway",
            "native / partway",
            "partway / floor",
            "CPU: partway / `.dump`",
            "CPU s per GB",
            "peak memory, MB",
        ],
    );
    (times, ratios)
}
