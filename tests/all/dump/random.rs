//! Databases that nobody thought of come back too.
//!
//! Where Python is, SQLite libraries other than Partway's compare as well (see `support::Judge`).
//!
//! `PARTWAY_SEED=… cargo test -p partway-tests --test all random_databases_come_back` runs the one of that seed alone,
//! leaves out what its failure does not need, and prints the rest as SQL. `PARTWAY_SEED=300..900` runs those.

use std::fmt;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use partway_testbed::{Random, RandomDatabase, RandomOptions, RandomSize, Taken};
use partway_wasmtime::exporter::Exporter;

use crate::support::{Judge, round_trip, turn};

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
    all_come_back(FIRST_LARGE, 3_000);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn twenty_thousand_small_random_databases_come_back() {
    all_come_back(FIRST_SMALL, 20_000);
}

/// Seeds from here on make large databases.
const FIRST_LARGE: u64 = 1_000_000;

/// And from here on small ones.
const FIRST_SMALL: u64 = 10_000_000;

fn database_of(seed: u64) -> RandomDatabase {
    let size = match seed {
        FIRST_SMALL.. => RandomSize::Small,
        FIRST_LARGE.. => RandomSize::Large,
        _ => RandomSize::Ordinary,
    };
    RandomDatabase::new(seed, RandomOptions { size, odd_lines: true })
}

/// The databases of `count` seeds from `first` on; as many at once as there are processors.
fn all_come_back(first: u64, count: u64) {
    let _turn = turn();
    let exporter = Exporter::prebuilt().unwrap();
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let all = Mutex::new(Tally::default());
    let began = Instant::now();
    let worker = || {
        let mut judges = Judge::all();
        all.lock().unwrap().judges = judges.iter().map(|judge| judge.name.clone()).collect();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let folder = folder_of(seed);
            match comes_back(&exporter, seed, &database_of(seed), &folder, &mut judges) {
                Ok(taken) => {
                    all.lock().unwrap().add(taken);
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
    let all = all.into_inner().unwrap();
    // Past the test harness, which keeps what a good test prints.
    let line = format!("{all} within {:.0} s\n", began.elapsed().as_secs_f64());
    std::io::stderr().write_all(line.as_bytes()).ok();
    all.is_worth_something();
}

/// What the databases were.
#[derive(Debug, Default)]
struct Tally {
    databases: u64,
    utf16: u64,
    /// Long texts in UTF-16 that begin with a byte order mark.
    marked: u64,
    accepted: usize,
    refused: usize,
    judges: Vec<String>,
}

impl Tally {
    fn add(&mut self, one: Seen) {
        self.databases += 1;
        self.utf16 += u64::from(one.is_utf16);
        self.marked += one.marked;
        self.accepted += one.taken.accepted;
        self.refused += one.taken.refused;
    }

    /// Databases of which SQLite refuses the most would say little, and so would those of one encoding.
    #[track_caller]
    fn is_worth_something(&self) {
        assert!(self.refused * 4 < self.accepted, "{self:?}");
        assert!(self.databases < 50 || self.utf16 * 10 > self.databases, "{self:?}");
        assert!(self.databases < 200 || self.marked * 10 > self.databases, "{self:?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { databases, utf16, marked, judges, .. } = self;
        write!(
            f,
            "{databases} random databases, {utf16} in UTF-16 with {marked} long marked texts, "
        )?;
        write!(f, "came back by the library inside the tests")?;
        judges.iter().try_for_each(|judge| write!(f, ", by {judge}"))
    }
}

/// What a database was.
struct Seen {
    taken: Taken,
    is_utf16: bool,
    marked: u64,
}

impl Seen {
    fn new(database: &RandomDatabase, taken: Taken) -> Self {
        let is_utf16 =
            database.statements.iter().any(|sql| sql.starts_with("PRAGMA encoding='UTF-16"));
        let inserted = |mark| format!("char({mark}) || replace(hex(zeroblob(");
        let marks = [inserted(0xfeff), inserted(0xfffe)];
        let is_marked = |sql: &&String| marks.iter().any(|mark| sql.contains(mark.as_str()));
        let marked = database.statements.iter().filter(is_marked).count() as u64;
        Self { taken, is_utf16, marked: if is_utf16 { marked } else { 0 } }
    }
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
    judges: &mut [Judge],
) -> Result<Seen> {
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
    let came_back = match outcome {
        Ok(outcome) => outcome.with_context(|| format!("parts of {part_size} bytes"))?,
        Err(_) => bail!("a panic, parts of {part_size} bytes"),
    };
    judges.iter_mut().try_for_each(|judge| judge.compare(&file, &came_back.restored))?;
    Ok(Seen::new(database, taken))
}

/// Runs one seed; where it fails, prints the fewest statements that still do.
fn replay(seed: u64) {
    let exporter = Exporter::prebuilt().unwrap();
    let folder = folder_of(seed);
    let mut database = database_of(seed);
    let mut judges = Judge::all();
    let mut comes_back =
        |database: &RandomDatabase| comes_back(&exporter, seed, database, &folder, &mut judges);
    let Err(error) = comes_back(&database) else { return };
    let mut step = database.statements.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < database.statements.len() {
            let mut fewer = database.clone();
            fewer.statements.drain(at..(at + step).min(database.statements.len()));
            match comes_back(&fewer) {
                Ok(_) => at += step,
                Err(_) => database = fewer,
            }
        }
        if step == 1 {
            break;
        }
        step = step.div_ceil(2);
    }
    let Err(smaller) = comes_back(&database) else { unreachable!() };
    panic!(
        "{error:#}\n\nThe fewest statements that still fail, in {}:\n{};\n{smaller:#}",
        folder.join("original.db").display(),
        database.statements.join(";\n")
    );
}
