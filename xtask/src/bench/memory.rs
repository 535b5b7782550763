//! How much memory an export uses, and that it does not grow with the database.

use std::fs;
use std::path::Path;

use anyhow::Result;
use partway_testbed::write_uniform;

use super::bound::Bound::{self, AtMost};
use super::databases::{PART_SIZE, generated, megabytes};
use super::measured::measure;
use super::peers::{Programs, export_to};
use super::report::Table;

/// In megabytes.
const SIZES: [u64; 2] = [100, 1_000];
/// It takes disk space, and minutes.
const LONG_SIZE: u64 = 5_000;

const RUNS: usize = 3;

/// In megabytes.
const MAX_PEAK_MB: Bound = AtMost(100.0);
/// Of the largest database's to the smallest's.
const DOES_NOT_GROW: Bound = AtMost(1.1);

pub fn memory(programs: &Programs, folder: &Path, long: bool) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Peak memory",
        &format!(
            "`partway export FILE --to DIR --part-size {PART_SIZE}` of one uniform table; the maximum of {RUNS} runs."
        ),
        &["database, MB", "peak memory, MB", "relative to the smallest"],
    );
    let mut smallest = None;
    for size in SIZES.into_iter().chain(long.then_some(LONG_SIZE)) {
        // Its unit is four fifths of a megabyte.
        let database = generated(folder, "uniform", size * 5 / 4, write_uniform)?;
        let mut most = 0;
        for _ in 0..RUNS {
            let store = folder.join("store");
            fs::create_dir_all(&store)?;
            let mut export = export_to(&programs.partway, &database, &store, folder);
            let run = measure(export.args(["--part-size", &PART_SIZE.to_string()]))?;
            fs::remove_dir_all(&store)?;
            println!("{size} MB: {} KiB, {:.2} s", run.peak_kib, run.seconds);
            most = most.max(run.peak_kib);
        }
        let peak = most as f64 * 1024.0 / 1e6;
        let ratio = match smallest {
            Some(smallest) => DOES_NOT_GROW.judged(peak / smallest),
            None => "1".to_owned(),
        };
        smallest = smallest.or(Some(peak));
        table.row(vec![format!("{:.0}", megabytes(&database)?), MAX_PEAK_MB.judged(peak), ratio]);
    }
    if !long {
        table.note(&format!("`--long` adds a database of {LONG_SIZE} MB."));
    }
    Ok(vec![table])
}
