//! Exports to a folder, until they are on disk, compared with a dump that is synced and a plain
//! copy of the same bytes.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use partway_testbed::Shape;

use super::bound::Bound::{self, AtLeast, AtMost};
use super::databases::{megabytes, shaped};
use super::measured::{in_turn, measure};
use super::peers::{Peer, Programs, export_to};
use super::report::Table;
use crate::demo::ignore_missing;

/// Of `.dump`'s time to Partway's …
const FASTER_THAN_DUMP: Bound = AtLeast(2.5);
/// … or of Partway's time to that of the copy: no faster than the disk.
const NEAR_THE_DISK: Bound = AtMost(1.15);

pub fn folder(programs: &Programs, folder: &Path, size: u64, rounds: u32) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "To a folder, until it is on disk",
        "Medians, in seconds: `sqlite3 FILE .dump > f; sync f`, `partway export FILE --to DIR`, and `dd bs=5M \
         conv=fsync` of the same object. One of the two targets must be met: if the disk limits both, \
         nothing can be much faster than `dd`.",
        &[
            "shape",
            "SQL, MB",
            "`.dump`, sync",
            "partway",
            "`dd`",
            "`.dump` / partway",
            "partway / `dd`",
            "either target",
        ],
    );
    let (dumped, object, copy) =
        (folder.join("dumped.sql"), folder.join("object.sql"), folder.join("copy.sql"));
    let store = folder.join("store");
    for shape in Shape::ALL {
        let database = shaped(folder, shape, size)?;
        println!("\n-- {} ({:.0} MB)", shape.description(), megabytes(&database)?);
        measure(Peer::Partway.command(programs, &database).stdout(File::create(&object)?))?;
        let [dump, ours, dd] = in_turn(rounds, [".dump, sync", "partway", "dd"], |which| {
            let run = match which {
                0 => measure(&mut dump_and_sync(&database, &dumped)),
                1 => {
                    fs::create_dir_all(&store)?;
                    measure(&mut export_to(&programs.partway, &database, &store, folder))
                }
                _ => measure(&mut dd(&object, &copy)),
            };
            for file in [&dumped, &copy] {
                fs::remove_file(file).or_else(ignore_missing)?;
            }
            fs::remove_dir_all(&store).or_else(ignore_missing)?;
            run
        })?;
        let (faster, near) = (dump.seconds() / ours.seconds(), ours.seconds() / dd.seconds());
        let holds = FASTER_THAN_DUMP.holds(faster) || NEAR_THE_DISK.holds(near);
        table.row(vec![
            shape.description().to_owned(),
            format!("{:.0}", megabytes(&object)?),
            format!("{:.3}", dump.seconds()),
            format!("{:.3}", ours.seconds()),
            format!("{:.3}", dd.seconds()),
            FASTER_THAN_DUMP.beside(faster),
            NEAR_THE_DISK.beside(near),
            if holds { "met" } else { "missed" }.to_owned(),
        ]);
        fs::remove_file(&object)?;
    }
    Ok(vec![table])
}

fn dump_and_sync(database: &Path, file: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "sqlite3 \"$1\" .dump > \"$2\" && sync \"$2\"", "sh"]);
    command.arg(database).arg(file).stdin(Stdio::null());
    command
}

fn dd(from: &Path, to: &Path) -> Command {
    let operand = |name: &str, path: &Path| {
        let mut operand = std::ffi::OsString::from(name);
        operand.push(path);
        operand
    };
    let mut command = Command::new("dd");
    command.arg(operand("if=", from)).arg(operand("of=", to));
    command.args(["bs=5M", "conv=fsync", "status=none"]);
    command
}
