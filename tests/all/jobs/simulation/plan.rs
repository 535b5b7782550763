//! What a seed decides before a schedule begins, and the dice that it throws during it.

use std::time::Duration;

use partway_jobs::{OnChange, Pace, SnapshotMode};
use partway_testbed::Random;

/// Where the object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Bucket,
    Folder,
}

/// A schedule's settings. Chances are so many in a thousand.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub store: StoreKind,
    pub hosts: usize,
    pub database: usize,
    /// Whether the database gets more rows in the middle.
    pub changes: bool,
    pub on_change: OnChange,
    pub snapshot: SnapshotMode,
    pub name: Option<String>,
    pub part_size: u64,
    pub pace: Pace,
    pub effect_faults: u64,
    pub commit_faults: u64,
    pub kills: u64,
    pub jumps: u64,
    pub prunes: u64,
    pub cancels: u64,
    pub foreign: u64,
    /// Whether the bucket refuses to complete an upload over an object, as Amazon's does.
    pub conditional: bool,
    /// Whether somebody asks for the same export a second time.
    pub asks_twice: bool,
    /// Whether time may pass while a component works on a job that nobody wants any more. How far it gets then depends
    /// on this machine's speed: such a schedule is checked as any other, but it is not the same every time.
    pub loose: bool,
    /// Whether each table becomes an object of its own.
    pub each_table: bool,
}

impl Plan {
    pub fn new(seed: u64, databases: usize) -> Self {
        let mut random = Random::new(seed ^ 0x5eed_0f0a_91a4);
        let mut chance = |thousandths: u64| random.below(1000) < thousandths;
        let store = if chance(500) { StoreKind::Bucket } else { StoreKind::Folder };
        let hosts = if chance(700) { 2 } else { 1 };
        let changes = chance(40);
        let copies = chance(30);
        let on_change = if chance(250) { OnChange::Fail } else { OnChange::Restart };
        let name = chance(700).then(|| "dump.sql".to_owned());
        let asks_twice = chance(200);
        let loose = chance(30);
        let cancels = if chance(200) { 40 } else { 0 };
        let foreign = if chance(150) { 40 } else { 0 };
        let prunes = if chance(300) { 15 } else { 0 };
        let jumps = if chance(400) { random.pick(&[10, 60]) } else { 0 };
        let pace = Pace {
            slice_parts: random.pick(&[Some(1), Some(2), Some(3), Some(4), None]),
            slice_time: Duration::from_secs(25),
            pause: Duration::from_secs(random.pick(&[0, 0, 10])),
            retries: random.pick(&[0, 1, 3, 6, 6]) as u32,
        };
        Self {
            seed,
            store,
            hosts,
            database: random.below(databases as u64) as usize,
            changes,
            on_change,
            snapshot: if copies { SnapshotMode::Copy } else { SnapshotMode::Hold },
            name,
            part_size: random.pick(&[4096, 4096, 6000]),
            pace,
            effect_faults: random.pick(&[0, 20, 60, 150, 300]),
            commit_faults: random.pick(&[0, 20, 60, 120]),
            kills: random.pick(&[0, 10, 40]),
            jumps,
            prunes,
            cancels,
            foreign,
            conditional: seed.is_multiple_of(2),
            asks_twice,
            loose,
            each_table: false,
        }
    }

    /// The dice for one thing that can only happen once: the same whatever else happens.
    pub fn dice(&self, words: &[u64]) -> Random {
        let mut hash = self.seed ^ 0x0dd_ba11;
        for word in words {
            hash = Random::new(hash ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93)).number();
        }
        Random::new(hash)
    }
}
