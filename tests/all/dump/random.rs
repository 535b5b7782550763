//! Databases that nobody thought of come back too.
//!
//! `PARTWAY_SEED=… cargo test -p partway-tests --test all random_databases_come_back` runs the one of that seed alone,
//! leaves out what its failure does not need, and prints the rest as SQL. `PARTWAY_SEED=300..900` runs those.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use partway_testbed::{Random, RandomDatabase, RandomOptions, Taken};
use partway_wasmtime::exporter::Exporter;

use crate::support::{round_trip, turn};

const ORDINARY: RandomOptions = RandomOptions { large: false, odd_lines: true };
const LARGE: RandomOptions = RandomOptions { large: true, odd_lines: true };

#[test]
fn random_databases_come_back() {
    let number = |text: &str| text.parse().expect("PARTWAY_SEED is a number, or two: 300..900");
    match std::env::var("PARTWAY_SEED") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((first, end)) => all_come_back(number(first), number(end) - number(first)),
            None => replay(number(&seeds)),
        },
        Err(_) => all_come_back(0, 300),
    }
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn thousands_of_random_databases_come_back() {
    all_come_back(1_000_000, 3_000);
}

/// Seeds from here on make large databases.
const FIRST_LARGE: u64 = 1_000_000;

fn database_of(seed: u64) -> RandomDatabase {
    RandomDatabase::new(seed, if seed < FIRST_LARGE { ORDINARY } else { LARGE })
}

/// The databases of `count` seeds from `first` on; as many at once as there are processors.
fn all_come_back(first: u64, count: u64) {
    let _turn = turn();
    let exporter = Exporter::prebuilt().unwrap();
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let taken = Mutex::new(Taken::default());
    let worker = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= first + count {
            return;
        }
        let folder = folder_of(seed);
        match comes_back(&exporter, seed, &database_of(seed), &folder) {
            Ok(one) => {
                let mut all = taken.lock().unwrap();
                all.accepted += one.accepted;
                all.refused += one.refused;
                drop(all);
                fs::remove_dir_all(&folder).unwrap();
            }
            Err(error) => {
                // At once: the run may be cut off.
                eprintln!("seed {seed}: {error:#}");
                failures.lock().unwrap().push(format!(
                    "PARTWAY_SEED={seed} ({}): {error:#}",
                    folder.join("original.db").display()
                ));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} databases do not come back; each can be replayed with `PARTWAY_SEED=… cargo test -p \
         partway-tests --test all random_databases_come_back`:\n{}",
        failures.len(),
        failures.join("\n")
    );
    // Databases of which SQLite refuses the most would say little.
    let taken = taken.into_inner().unwrap();
    assert!(taken.refused * 4 < taken.accepted, "{taken:?}");
}

fn folder_of(seed: u64) -> PathBuf {
    let name = format!("random-{}-{seed}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Makes a database in a new folder and takes it there and back.
fn comes_back(
    exporter: &Exporter,
    seed: u64,
    database: &RandomDatabase,
    folder: &Path,
) -> Result<Taken> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let file = folder.join("original.db");
    let taken = database.write(&file)?;
    // Not the numbers that made the database.
    let mut random = Random::new(!seed);
    let part_size = 4096 + random.below(65_905) as u32;
    let most = if fs::metadata(&file)?.len() > 500_000 { 60 } else { random.pick(&[1, 3, 10, 40]) };
    let budget = || 1 + random.below(most) as u32;
    let outcome =
        catch_unwind(AssertUnwindSafe(|| round_trip(exporter, &file, folder, part_size, budget)));
    match outcome {
        Ok(outcome) => outcome.with_context(|| format!("parts of {part_size} bytes"))?,
        Err(_) => bail!("a panic, parts of {part_size} bytes"),
    };
    Ok(taken)
}

/// Runs one seed; where it fails, prints the fewest statements that still do.
fn replay(seed: u64) {
    let exporter = Exporter::prebuilt().unwrap();
    let folder = folder_of(seed);
    let mut database = database_of(seed);
    let Err(error) = comes_back(&exporter, seed, &database, &folder) else { return };
    let mut step = database.statements.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < database.statements.len() {
            let mut fewer = database.clone();
            fewer.statements.drain(at..(at + step).min(database.statements.len()));
            match comes_back(&exporter, seed, &fewer, &folder) {
                Ok(_) => at += step,
                Err(_) => database = fewer,
            }
        }
        if step == 1 {
            break;
        }
        step = step.div_ceil(2);
    }
    let smaller = comes_back(&exporter, seed, &database, &folder).unwrap_err();
    panic!(
        "{error:#}\n\nThe fewest statements that still fail, in {}:\n{};\n{smaller:#}",
        folder.join("original.db").display(),
        database.statements.join(";\n")
    );
}
