//! `cargo xtask demo`: an export, from a database to an object and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use partway_testbed::{Restorer, compare, restore, write_sample};
use serde_json::Value;

use crate::run::{build_program, output, target};
use crate::setup::setup;

/// The sample's size.
const MEGABYTES: u64 = 100;

/// Exports a database in slices, restores the dump and compares.
pub fn demo(database: Option<PathBuf>) -> Result<()> {
    if let Some(file) = database.as_deref().filter(|file| !file.is_file()) {
        bail!("there is no database {}", file.display());
    }
    step("Setting up and building (some minutes the first time)");
    setup()?;
    let program = build_program()?;

    let folder = target().join("demo");
    fs::create_dir_all(&folder)?;
    let is_sample = database.is_none();
    let database = match database {
        Some(file) => file,
        None => sample(&folder)?,
    };

    step(&format!("Exporting {} to a folder, part by part", database.display()));
    let store = folder.join("store");
    fs::create_dir_all(&store)?;
    let mut export = Command::new(&program);
    export
        .arg("export")
        .arg(&database)
        .arg("--to")
        .arg(&store)
        .args(["--slice-parts", "4", "--part-size", if is_sample { "5MiB" } else { "256KiB" }])
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--json");
    let summary: Value = serde_json::from_str(&output(&mut export)?)?;
    let number = |field: &str| summary[field].as_u64().unwrap_or_default();
    let dump = PathBuf::from(summary["location"].as_str().context("the export has no location")?);
    println!(
        "exported {} rows of {} tables in {} slices and {} parts: {:.1} MB in {} s",
        number("rows"),
        number("tables"),
        number("slices"),
        number("parts"),
        number("bytes") as f64 / 1e6,
        summary["seconds"],
    );

    let restored = folder.join("restored.db");
    restore_and_compare(&database, &dump, &restored)?;

    step("Where things are");
    println!("the database   {}", database.display());
    println!("the dump       {}", dump.display());
    println!("restored       {}", restored.display());
    println!("the program    {}", program.display());
    step("What to try next");
    let program = program.display();
    let database = database.display();
    println!("{program} export {database} | sqlite3 new.db");
    println!("{program} export {database} --to FOLDER    # interrupt it and run it again");
    println!("{program} export --help");
    Ok(())
}

fn restore_and_compare(database: &Path, dump: &Path, restored: &Path) -> Result<()> {
    fs::remove_file(restored).or_else(ignore_missing)?;
    step("Restoring the dump");
    match restore(dump, restored)? {
        Restorer::Program => println!("with the stock sqlite3 program"),
        Restorer::Library => {
            println!("with the SQLite library (the program sqlite3 is not available)")
        }
    }

    step("Comparing the two databases: schema, every cell, rowids, header values");
    let differences = compare(database, restored)?;
    if !differences.is_empty() {
        for difference in &differences {
            println!("- {difference}");
        }
        bail!("the restored database differs from the original");
    }
    println!("The two databases are equal.");
    Ok(())
}

/// The sample database: generated once, since it is the same every time.
fn sample(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("sample.db");
    if !file.exists() {
        step(&format!("Generating a sample database of about {MEGABYTES} MB"));
        let unfinished = folder.join("sample.db.new");
        fs::remove_file(&unfinished).or_else(ignore_missing)?;
        write_sample(&unfinished, MEGABYTES)?;
        fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}

fn step(text: &str) {
    println!("\n== {text}");
}

/// If a file to be removed is missing, all is well.
pub fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
