//! What it costs to cut an export into slices: in total, and for each slice of a long export.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use partway_testbed::write_uniform;

use super::databases::{folder, generated};
use super::measured::{Run, measure, median};
use super::peers::export_to;
use crate::run::build_program;
use crate::setup::setup;

/// How many slices are compared with one.
const SLICES: u64 = 1_000;

/// Measures, and prints tables.
pub fn slices(megabytes: u64, pairs: u32) -> Result<()> {
    setup()?;
    let program = build_program()?;
    let folder = folder()?;
    let database = generated(&folder, "uniform", megabytes, write_uniform)?;
    let export =
        |part_size: u64, slicing: &[&str]| export(&program, &database, &folder, part_size, slicing);
    // This also loads the file into memory.
    let (_, object, _) = export(5 * 1024 * 1024, &["--slice-time", "24h"])?;
    let part_size = (object / SLICES).next_multiple_of(4096);

    println!(
        "\n== CPU time of one slice and of {SLICES}: {} ({} MB), parts of {part_size} bytes",
        database.display(),
        fs::metadata(&database)?.len() / 1_000_000
    );
    let mut ratios = Vec::new();
    let mut costs = Vec::new();
    for _ in 0..pairs {
        let (one, ..) = export(part_size, &["--slice-time", "24h"])?;
        let (many, _, seconds) = export(part_size, &["--slice-parts", "1"])?;
        let ratio = many.cpu_seconds / one.cpu_seconds;
        println!(
            "1 slice {:7.2} s   {} slices {:7.2} s   ratio {ratio:.3}",
            one.cpu_seconds,
            seconds.len(),
            many.cpu_seconds
        );
        ratios.push(ratio);
        costs.push(seconds);
    }
    println!("median ratio {:.3}", median(ratios));

    println!("\n== Median time of a slice: the first tenth of an export, and the last");
    for seconds in &costs {
        // The last slice ends the table, and the object.
        let tenth = seconds.len() / 10;
        let first = median(seconds[..tenth].iter().copied());
        let last = median(seconds[seconds.len() - 1 - tenth..seconds.len() - 1].iter().copied());
        println!("{:7.2} ms   {:7.2} ms   ratio {:.3}", first * 1e3, last * 1e3, last / first);
    }
    Ok(())
}

/// An export to a folder: what it used, the object's bytes, and the time that each slice took.
fn export(
    program: &Path,
    database: &Path,
    folder: &Path,
    part_size: u64,
    slicing: &[&str],
) -> Result<(Run, u64, Vec<f64>)> {
    let store = folder.join("store");
    fs::create_dir_all(&store)?;
    let log = folder.join("slices.log");
    let mut command = export_to(program, database, &store, folder);
    command
        // A copy of the database would be the same work either way.
        .args(["--snapshot", "hold", "--part-size", &part_size.to_string()])
        .args(slicing)
        .env("PARTWAY_LOG", "partway::job=info")
        .stderr(File::create(&log)?);
    let run = measure(&mut command)?;
    let objects = fs::read_dir(&store)?.collect::<std::io::Result<Vec<_>>>()?;
    let bytes = objects.iter().map(|object| Ok(object.metadata()?.len())).sum::<Result<u64>>()?;
    fs::remove_dir_all(&store)?;
    let text = fs::read_to_string(&log)?;
    let slices = text.lines().filter(|line| line.contains("slice done"));
    let seconds = slices
        .map(|line| {
            // The log may be in colours.
            let number = line.rsplit("seconds").next().unwrap_or_default();
            let digits = number.rsplit(['=', 'm']).next().unwrap_or_default();
            digits.trim().parse().with_context(|| format!("no time in {line:?}"))
        })
        .collect::<Result<_>>()?;
    Ok((run, bytes, seconds))
}
