//! `cargo xtask bench`: exports side by side with `sqlite3 .dump`, in one run, A B A B.

mod measured;
mod slices;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use partway_testbed::write_sample;

use self::measured::{Run, measure, measure_any};
use crate::demo::ignore_missing;
use crate::run::{build_program, target};
use crate::setup::setup;

pub use self::slices::slices;

/// The sizes between which memory must not grow, in megabytes.
const SMALL: u64 = 100;
const LARGE: u64 = 1000;

/// Measures, and prints tables.
pub fn bench(megabytes: u64, pairs: u32) -> Result<()> {
    setup()?;
    let program = build_program()?;
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    let database = generated(&folder, "sample", megabytes, write_sample)?;

    println!(
        "\n== Speed: {} ({} MB), {pairs} pairs",
        database.display(),
        size(&database)? / 1_000_000
    );
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for pair in 0..=pairs {
        let (one, other) = (dump(&database, &folder)?, export(&program, &database, &folder)?);
        // The first pair brings the file into memory.
        if pair > 0 {
            println!("sqlite3 .dump {:6.2} s   partway {:6.2} s", one.seconds, other.seconds);
            theirs.push(one);
            ours.push(other);
        }
    }
    let (one, other) = (median(&theirs), median(&ours));
    println!("median        {one:6.2} s           {other:6.2} s   ratio {:.2}", one / other);

    restores(&program, &database, &folder, pairs.min(3))?;

    println!("\n== Peak memory of partway export FILE --to DIR");
    let mut peaks = Vec::new();
    for megabytes in [SMALL, LARGE] {
        let database = generated(&folder, "sample", megabytes, write_sample)?;
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(export(&program, &database, &folder)?);
        }
        let peak = runs.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        println!(
            "{:5} MB database: {:6.1} MiB",
            size(&database)? / 1_000_000,
            peak as f64 / 1024.0
        );
        peaks.push(peak as f64);
    }
    println!("ratio {:.3}", peaks[1] / peaks[0]);
    Ok(())
}

/// What the stock program takes to restore each of the two dumps of a database.
fn restores(program: &Path, database: &Path, folder: &Path, pairs: u32) -> Result<()> {
    println!("\n== Restoring with sqlite3, {pairs} pairs");
    let dumps = [folder.join("theirs.sql"), folder.join("ours.sql")];
    let commands = [
        (Command::new("sqlite3"), vec![database.as_os_str(), ".dump".as_ref()]),
        (Command::new(program), vec!["export".as_ref(), database.as_os_str()]),
    ];
    for ((mut command, arguments), dump) in commands.into_iter().zip(&dumps) {
        measure(command.args(arguments).stdout(File::create(dump)?))?;
    }
    let restored = folder.join("restored.db");
    let mut runs = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        for (dump, runs) in dumps.iter().zip(&mut runs) {
            fs::remove_file(&restored).or_else(ignore_missing)?;
            let mut restore = Command::new("sqlite3");
            restore.arg(&restored).stdin(File::open(dump)?).stderr(Stdio::null());
            // Of its own dump the program may refuse statistics that it was built without.
            runs.push(measure_any(&mut restore)?.0);
        }
        let [theirs, ours] = [&runs[0], &runs[1]].map(|runs| runs[pair as usize].seconds);
        println!("of sqlite3 .dump {theirs:6.2} s   of partway {ours:6.2} s");
    }
    let [theirs, ours] = [median(&runs[0]), median(&runs[1])];
    println!(
        "median           {theirs:6.2} s              {ours:6.2} s   ratio {:.2}",
        theirs / ours
    );
    for file in dumps.iter().chain([&restored]) {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// A database of about so many megabytes, which is made when it is first asked for.
fn generated(
    folder: &Path,
    kind: &str,
    megabytes: u64,
    write: fn(&Path, u64) -> Result<()>,
) -> Result<PathBuf> {
    let file = folder.join(format!("{kind}-{megabytes}.db"));
    if !file.exists() {
        println!("making {} …", file.display());
        let unfinished = folder.join(format!("{kind}.new"));
        fs::remove_file(&unfinished).or_else(ignore_missing)?;
        write(&unfinished, megabytes)?;
        fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}

fn dump(database: &Path, folder: &Path) -> Result<Run> {
    let out = folder.join("dump.sql");
    let run =
        measure(Command::new("sqlite3").arg(database).arg(".dump").stdout(File::create(&out)?))?;
    fs::remove_file(out)?;
    Ok(run)
}

fn export(program: &Path, database: &Path, folder: &Path) -> Result<Run> {
    let store = folder.join("store");
    fs::create_dir_all(&store)?;
    let mut command = export_to(program, database, &store, folder);
    let run = measure(command.stderr(Stdio::null()))?;
    fs::remove_dir_all(&store)?;
    Ok(run)
}

/// An export to a folder, with its state in another.
fn export_to(program: &Path, database: &Path, store: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("export").arg(database).arg("--to").arg(store);
    command.arg("--state").arg(folder.join("state")).stdout(Stdio::null());
    command
}

fn median(runs: &[Run]) -> f64 {
    measured::median(runs.iter().map(|run| run.seconds))
}

fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file)?.len())
}
