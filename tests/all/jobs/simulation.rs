//! Exports under every failure there is a simulation of: hosts that crash, hang and overtake one another, stores that
//! fail and lose answers, clocks that jump. Whatever happens, a job makes its object, byte for byte and once, or says
//! why not.
//!
//! Everything that happens is decided by a seed. `PARTWAY_SIMULATION_SEED=… cargo test -p partway-tests --test all
//! schedules_end_well` runs the schedule of that seed alone and prints what happens; `300..900` runs those.

mod bucket;
mod bucket_store;
mod checker;
mod clock;
mod databases;
mod ending;
mod events;
mod folder_store;
mod gate;
mod ground;
mod host;
mod plan;
mod schedule;
mod tally;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use partway_wasmtime::exporter::Exporter;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use self::databases::{Prepared, prepare};
use self::plan::Plan;
use self::schedule::{Report, run};
use self::tally::{Met, Tally};
use crate::support::turn;

/// From this seed on, schedules make an object of each table.
const SEEDS_OF_SETS: u64 = 10_000_000;

/// What all schedules work with.
struct Bench {
    exporter: Exporter,
    prepared: Vec<Prepared>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let exporter = Exporter::prebuilt().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let prepared = prepare(&exporter, folder.path());
        Self { exporter, prepared, _folder: folder }
    }

    fn run(&self, runtime: &Runtime, seed: u64, is_traced: bool) -> Report {
        let plan = Plan::new(seed, self.prepared.len());
        self.carry_out(runtime, Plan { each_table: seed >= SEEDS_OF_SETS, ..plan }, is_traced)
    }

    fn carry_out(&self, runtime: &Runtime, plan: Plan, is_traced: bool) -> Report {
        if is_traced {
            eprintln!("{plan:#?}");
        }
        runtime.block_on(run(plan, &self.prepared, &self.exporter, is_traced))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn schedules_end_well_or_say_why() {
    let number =
        |text: &str| text.parse().expect("PARTWAY_SIMULATION_SEED is a number, or two: 300..900");
    match std::env::var("PARTWAY_SIMULATION_SEED") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((first, end)) => drop(all_end_well(number(first)..number(end))),
            None => {
                let report = Bench::new().run(&runtime(), number(&seeds), true);
                assert_eq!(report.violations, Vec::<String>::new());
            }
        },
        Err(_) => {
            let tally = all_end_well(0..2_000);
            println!("{tally}");
            // What never happens is not tried.
            assert_eq!(tally.met_less_than(10), []);
        }
    }
}

/// Seeds of schedules that broke a promise once: an export is cancelled while a process that has lost it completes it,
/// and requests to delete its data are answered late or never, also where another object has the name.
const ONCE_BROKEN: [u64; 6] = [1_006_954, 1_010_978, 1_013_661, 1_105_984, 1_106_789, 1_187_175];

#[test]
fn schedules_of_exports_of_each_table_end_well_or_say_why() {
    let tally = all_end_well(SEEDS_OF_SETS..SEEDS_OF_SETS + 250);
    assert!(!tally.met_less_than(10).contains(&Met::Done), "{tally}");
}

#[test]
fn what_once_went_wrong_ends_well() {
    let (bench, runtime) = (Bench::new(), runtime());
    for seed in ONCE_BROKEN {
        let report = bench.run(&runtime, seed, false);
        assert_eq!(report.violations, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn hundreds_of_thousands_of_schedules_end_well_or_say_why() {
    println!("{}", all_end_well(1_000_000..1_200_000));
    println!("{}", all_end_well(SEEDS_OF_SETS..SEEDS_OF_SETS + 50_000));
}

#[test]
fn a_seed_decides_everything() {
    let (bench, runtime) = (Bench::new(), runtime());
    for seed in 0..150 {
        if Plan::new(seed, bench.prepared.len()).loose {
            continue;
        }
        let (first, second) = (bench.run(&runtime, seed, false), bench.run(&runtime, seed, false));
        let differs = first.trace.iter().zip(&second.trace).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let around = at.saturating_sub(8)..at + 1;
            panic!(
                "seed {seed} differs from line {at} on:\n{}\n and \n{}",
                first.trace[around.clone()].join("\n"),
                second.trace[around].join("\n")
            );
        }
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
        assert_eq!(first.tally, second.tally, "seed {seed}");
    }
}

/// Runs the schedules of these seeds, as many at once as there are processors.
fn all_end_well(seeds: Range<u64>) -> Tally {
    let _turn = turn();
    let began = Instant::now();
    let bench = Bench::new();
    let next = AtomicU64::new(seeds.start);
    let (failures, tally) = (Mutex::new(Vec::new()), Mutex::new(Tally::default()));
    let rounds = AtomicU64::new(0);
    let work = || {
        let runtime = runtime();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let ran = catch_unwind(AssertUnwindSafe(|| bench.run(&runtime, seed, false)));
            let violations = match ran {
                Ok(report) => {
                    tally.lock().unwrap().merge(&report.tally);
                    rounds.fetch_add(u64::from(report.rounds), Ordering::Relaxed);
                    report.violations
                }
                Err(_) => vec!["a panic".to_owned()],
            };
            if let Some(first) = violations.first() {
                // At once: the run may be cut off.
                eprintln!("PARTWAY_SIMULATION_SEED={seed}: {first}");
                failures.lock().unwrap().push(seed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (count, seconds) = (seeds.end - seeds.start, began.elapsed().as_secs_f64());
    println!(
        "{count} schedules in {seconds:.1} s, {:.1} rounds each",
        rounds.into_inner() as f64 / count.max(1) as f64
    );
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} schedules break a promise; each can be replayed with `PARTWAY_SIMULATION_SEED=… cargo test -p \
         partway-tests --test all schedules_end_well_or_say_why`: {:?}",
        failures.len(),
        &failures[..failures.len().min(50)]
    );
    tally.into_inner().unwrap()
}
