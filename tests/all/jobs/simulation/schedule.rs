//! One schedule: who goes on when, until the jobs are finished.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use partway_jobs::{Admission, ExportRequest, JobId, JobStore, StateError};
use partway_store::StoreAddress;
use partway_testbed::Random;
use partway_wasmtime::exporter::Exporter;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::checker::Checker;
use super::clock::now;
use super::databases::{Prepared, change};
use super::gate::View;
use super::ground::Ground;
use super::host::Host;
use super::plan::{Plan, StoreKind};
use super::tally::{Met, Tally};
use super::world::{Actor, Kind, Stand, World};

/// From this round on nothing goes wrong any more.
const CALM: u32 = 300;

/// By then every job is finished.
const MOST_ROUNDS: u32 = 3_000;

/// How long the machine may take for what no schedule decides.
const STUCK: Duration = Duration::from_secs(120);

/// What a schedule leaves.
#[derive(Debug)]
pub struct Report {
    pub trace: Vec<String>,
    pub tally: Tally,
    /// Against the promises.
    pub violations: Vec<String>,
    pub rounds: u32,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    RunTimer(usize),
    StepOutcome(usize),
    Begin(usize),
    Kill(usize),
    Prune(usize),
    LetGo(usize),
    Advance,
    Jump,
    Cancel,
    Foreign,
    SecondRequest,
    ChangeDatabase,
    ArriveLate,
}

pub struct Schedule {
    pub(crate) world: Arc<World>,
    pub(crate) ground: Arc<Ground>,
    pub(crate) checker: Arc<Checker>,
    pub(crate) hosts: Vec<Option<Host>>,
    pub(crate) jobs: Vec<JobId>,
    exporter: Exporter,
    pub(crate) state: PathBuf,
    pub(crate) request: ExportRequest,
    pub(crate) random: Random,
    /// Keeps the log of a database that changes.
    writer: Option<Connection>,
    has_changed: bool,
    pub(crate) has_asked_twice: bool,
}

/// Runs the schedule of a plan.
pub async fn run(
    plan: Plan,
    prepared: &[Prepared],
    exporter: &Exporter,
    is_traced: bool,
) -> Report {
    // In memory, where there is such a folder: jobs are saved with a sync each.
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new()
        .prefix("partway-simulation-")
        .tempdir_in(parent)
        .expect("a folder for the schedule");
    let world = World::new(plan, is_traced);
    let mut schedule = Schedule::new(&world, folder.path(), prepared, exporter);
    let rounds = schedule.end().await;
    if rounds < MOST_ROUNDS {
        schedule.check_the_end().await;
    }
    drop(schedule);
    // What a dead host has left behind ends.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let mut state = world.lock();
    let trace = std::mem::take(&mut state.trace);
    let violations = std::mem::take(&mut state.violations);
    Report { trace, tally: state.tally.clone(), violations, rounds }
}

impl Schedule {
    fn new(
        world: &Arc<World>,
        folder: &std::path::Path,
        prepared: &[Prepared],
        exporter: &Exporter,
    ) -> Self {
        let plan = &world.plan;
        let chosen = &prepared[plan.database];
        let (state, store) = (folder.join("state"), folder.join("store"));
        std::fs::create_dir(&store).expect("the store's folder");
        let mut database = chosen.database.clone();
        let dumps_of = |whole: &Vec<u8>, tables: &[Vec<u8>; 2]| match plan.each_table {
            true => tables.to_vec(),
            false => vec![whole.clone()],
        };
        let mut dumps = dumps_of(&chosen.dump, &chosen.tables);
        let mut writer = None;
        if plan.changes
            && let Some((changed, tables)) = &chosen.changed
        {
            dumps.extend(dumps_of(changed, tables));
            database = folder.join("changing.db");
            std::fs::copy(&chosen.database, &database).expect("a copy of the database");
            let connection = Connection::open(&database).expect("the copy");
            // Nothing but the change is to be seen of it.
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .and_then(|_| connection.execute_batch("PRAGMA wal_autocheckpoint=0"))
                .expect("the settings");
            writer = Some(connection);
        }
        let address = match plan.store {
            StoreKind::Folder => StoreAddress::Folder(store.clone()),
            StoreKind::Bucket => {
                StoreAddress::S3 { bucket: "simulated".to_owned(), prefix: String::new() }
            }
        };
        let request = ExportRequest {
            database,
            store: address,
            name: plan.name.clone(),
            format: "sql".to_owned(),
            tables: Vec::new(),
            settings: Vec::new(),
            manifest: false,
            each_table: plan.each_table,
            filters: vec![],
            component: None,
            part_size: Some(plan.part_size),
            snapshot: plan.snapshot,
            max_loaded_row: None,
            encoding: partway_codec::Encoding::default(),
            on_change: plan.on_change,
            pace: plan.pace.clone(),
        };
        let jobs = JobStore::open(&state).expect("a state folder");
        let admitted = jobs.admit(&request, false, now(world)).expect("a first job");
        let Admission::New(id) = admitted else { panic!("{admitted:?} is no new job") };
        let ground = Arc::new(Ground::new(plan.store, &store, dumps));
        ground.set_jobs(1);
        let checker = Arc::new(Checker::new(&state.join("jobs.db")).expect("the jobs' file"));
        checker.committed(world, &ground, Actor { host: 0, life: 0 });
        let random = plan.dice(&[0]);
        Self {
            world: world.clone(),
            ground,
            checker,
            hosts: (0..plan.hosts).map(|_| None).collect(),
            jobs: vec![id],
            exporter: exporter.clone(),
            state,
            request,
            random,
            writer,
            has_changed: false,
            has_asked_twice: false,
        }
    }

    /// Decides, round by round; how many there were.
    async fn end(&mut self) -> u32 {
        for round in 0..MOST_ROUNDS {
            self.come_to_rest().await;
            let are_finished = self.checker.jobs().iter().all(|(_, job)| job.is_finished);
            let at_work = self.hosts.iter().flatten().any(|host| host.step.is_some());
            if !self.world.lock().violations.is_empty() || (are_finished && !at_work) {
                return round;
            }
            if are_finished || round == CALM {
                self.world.lock().is_calm = true;
            }
            let actions = self.actions();
            let total: u64 = actions.iter().map(|(_, weight)| weight).sum();
            let mut drawn = self.random.below(total);
            let chosen = actions.iter().find(|(_, weight)| {
                let is_it = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                is_it
            });
            self.act(chosen.expect("one of them").0);
        }
        self.world.violation(format!("unfinished after {MOST_ROUNDS} rounds"));
        MOST_ROUNDS
    }

    /// Until every host rests, waits at a gate, or has died.
    pub(crate) async fn come_to_rest(&mut self) {
        let world = self.world.clone();
        let rest = poll_fn(|context| {
            world.lock().scheduler = Some(context.waker().clone());
            let mut are_still = true;
            for host in 0..self.hosts.len() {
                are_still &= self.poll_host(host, context);
            }
            if are_still { Poll::Ready(()) } else { Poll::Pending }
        });
        if tokio::time::timeout(STUCK, rest).await.is_err() {
            panic!("seed {}: a step neither ends nor waits", world.plan.seed);
        }
        // Tasks of steps that were let go of are dropped.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets a host work; whether it does nothing more by itself.
    fn poll_host(&mut self, number: usize, context: &mut std::task::Context<'_>) -> bool {
        loop {
            let Some(host) = &mut self.hosts[number] else { return true };
            if !self.world.is_alive(host.actor) {
                self.bury(number);
                return true;
            }
            let Some(step) = &mut host.step else { return true };
            if self.world.lock().is_still(number) {
                return true;
            }
            let actor = host.actor;
            match step.as_mut().poll(context) {
                Poll::Ready(word) => {
                    host.step = None;
                    if self.world.is_alive(actor) {
                        self.world.trace(format!("h{}.{} {word}", actor.host, actor.life));
                        self.world.lock().begin_step(number);
                    }
                }
                Poll::Pending if self.world.is_alive(actor) => {
                    return self.world.lock().is_still(number);
                }
                Poll::Pending => {}
            }
        }
    }

    /// The process is gone, with all that it held.
    pub(crate) fn bury(&mut self, number: usize) {
        if let Some(host) = self.hosts[number].take() {
            self.world.kill(host.actor);
            self.world.trace(format!("h{}.{} dead", host.actor.host, host.actor.life));
            self.world.lock().begin_step(number);
        }
    }

    fn actions(&self) -> Vec<(Action, u64)> {
        let plan = &self.world.plan;
        let state = self.world.lock();
        let is_calm = state.is_calm;
        let jobs = self.checker.jobs();
        let are_finished = jobs.iter().all(|(_, job)| job.is_finished);
        let cancel_requested = jobs.iter().any(|(_, job)| job.cancel_requested && !job.is_finished);
        let mut actions = Vec::new();
        let (mut at_gates, mut in_slices) = (0, 0);
        for (number, host) in self.hosts.iter().enumerate() {
            let Some(host) = host else {
                if !are_finished {
                    actions.push((Action::Begin(number), 200));
                }
                continue;
            };
            match (&host.step, &state.hosts[number].stand) {
                (None, _) if !are_finished => {
                    actions.push((Action::StepOutcome(number), 500));
                    if !is_calm {
                        actions.push((Action::Prune(number), plan.prunes));
                        actions.push((Action::LetGo(number), 5));
                    }
                }
                (Some(_), Stand::AtGate(gate)) => {
                    at_gates += 1;
                    in_slices += u32::from(gate.kind == Kind::Write);
                    actions.push((Action::RunTimer(number), 1000));
                }
                _ => {}
            }
            if !is_calm {
                actions.push((Action::Kill(number), plan.kills));
            }
        }
        // How far a component gets that may stop any moment is not for the schedule to say.
        if plan.loose || !cancel_requested || in_slices == 0 {
            actions.push((Action::Advance, if at_gates == 0 { 400 } else { 60 }));
        }
        if self.ground.is_anything_late() {
            actions.push((Action::ArriveLate, 60));
        }
        if !is_calm {
            actions.push((Action::Jump, plan.jumps));
            if !cancel_requested {
                actions.push((Action::Cancel, plan.cancels));
            }
            actions.push((Action::Foreign, plan.foreign));
            if plan.asks_twice && !self.has_asked_twice {
                actions.push((Action::SecondRequest, 30));
            }
            if self.writer.is_some() && !self.has_changed {
                actions.push((Action::ChangeDatabase, 30));
            }
        }
        actions
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::RunTimer(host) => self.pass(host),
            Action::Begin(host) => {
                if let Err(error) = self.begin(host) {
                    self.world.trace(format!("h{host} does not begin: {error}"));
                }
            }
            Action::StepOutcome(host) => self.alarm(host),
            Action::Kill(host) => {
                self.world.met(Met::KilledAtRest);
                self.bury(host);
            }
            Action::Prune(host) => {
                self.world.met(Met::Prune);
                self.world.trace(format!("h{host} prunes"));
                if let Some(host) = &mut self.hosts[host] {
                    host.prune();
                }
            }
            Action::LetGo(host) => self.let_go(host),
            Action::Advance => self.advance(),
            Action::Jump => self.jump(),
            Action::Cancel => self.cancel(),
            Action::Foreign => self.place_foreign(),
            Action::SecondRequest => self.ask_twice(),
            Action::ArriveLate => {
                self.world.trace("a late request arrives".to_owned());
                self.ground.arrive(&self.world, self.random.number());
            }
            Action::ChangeDatabase => {
                self.has_changed = true;
                let writer = self.writer.as_ref().expect("a database that changes");
                change(writer).expect("a change");
                self.world.met(Met::DatabaseChange);
                self.world.trace("the database changes".to_owned());
            }
        }
    }

    /// Begins a host's next life.
    pub(crate) fn begin(&mut self, number: usize) -> Result<(), StateError> {
        let actor = {
            let mut state = self.world.lock();
            let host = &mut state.hosts[number];
            host.life += 1;
            host.is_dead = false;
            let actor = Actor { host: number, life: host.life };
            state.begin_step(number);
            actor
        };
        let (world, ground) = (self.world.clone(), self.ground.clone());
        let view = View { world, actor, ground };
        let host = Host::begin(view, &self.checker, &self.exporter, &self.state)?;
        self.world.trace(format!("h{}.{} begins", actor.host, actor.life));
        self.hosts[number] = Some(host);
        Ok(())
    }
}
