//! One schedule: who goes on when, until the jobs are finished.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use partway::{Admission, ExportRequest, Exporter, JobId, StateError, StoreAddress};
use partway_testbed::Random;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::checker::Checker;
use crate::clock::now;
use crate::databases::{Prepared, change};
use crate::gate::{Decision, View, decide};
use crate::ground::Ground;
use crate::host::Host;
use crate::plan::{Plan, StoreKind};
use crate::tally::{Met, Tally};
use crate::world::{Actor, Kind, Moment, Stand, Verdict, World};

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
    Pass(usize),
    Alarm(usize),
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
}

pub struct Schedule {
    pub(crate) world: Arc<World>,
    pub(crate) ground: Arc<Ground>,
    pub(crate) checker: Arc<Checker>,
    pub(crate) hosts: Vec<Option<Host>>,
    pub(crate) jobs: Vec<JobId>,
    exporter: Exporter,
    state: PathBuf,
    request: ExportRequest,
    random: Random,
    /// Keeps the log of a database that changes.
    writer: Option<Connection>,
    has_changed: bool,
    has_asked_twice: bool,
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
    let rounds = schedule.to_its_end().await;
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
        let mut dumps = vec![chosen.dump.clone()];
        let mut writer = None;
        if plan.changes && let Some(changed) = &chosen.changed {
            dumps.push(changed.clone());
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
            component: None,
            part_size: Some(plan.part_size),
            snapshot: plan.snapshot,
            on_change: plan.on_change,
            pace: plan.pace.clone(),
        };
        let jobs = partway::JobStore::open(&state).expect("a state folder");
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
    async fn to_its_end(&mut self) -> u32 {
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
    fn bury(&mut self, number: usize) {
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
        let is_unwanted = jobs.iter().any(|(_, job)| job.is_unwanted && !job.is_finished);
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
                    actions.push((Action::Alarm(number), 500));
                    if !is_calm {
                        actions.push((Action::Prune(number), plan.prunes));
                        actions.push((Action::LetGo(number), 5));
                    }
                }
                (Some(_), Stand::AtGate(gate)) => {
                    at_gates += 1;
                    in_slices += u32::from(gate.kind == Kind::Write);
                    actions.push((Action::Pass(number), 1000));
                }
                _ => {}
            }
            if !is_calm {
                actions.push((Action::Kill(number), plan.kills));
            }
        }
        // How far a component gets that may stop any moment is not for the schedule to say.
        if plan.loose || !is_unwanted || in_slices == 0 {
            actions.push((Action::Advance, if at_gates == 0 { 400 } else { 60 }));
        }
        if !is_calm {
            actions.push((Action::Jump, plan.jumps));
            if !is_unwanted {
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
            Action::Pass(host) => self.pass(host),
            Action::Begin(host) => {
                if let Err(error) = self.begin(host) {
                    self.world.trace(format!("h{host} does not begin: {error}"));
                }
            }
            Action::Alarm(host) => self.alarm(host),
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

    /// Lets a host on, well or not.
    fn pass(&mut self, number: usize) {
        let decision = decide(&self.world, number);
        if decision != Decision::Let(Verdict::Go) {
            self.world.trace(format!("h{number} {decision:?}"));
        }
        let upload = {
            let mut state = self.world.lock();
            let Stand::AtGate(gate) = &mut state.hosts[number].stand else { return };
            let is_pruned = gate.kind == Kind::Abort && gate.moment == Moment::Before;
            let upload = gate.upload.clone().filter(|_| is_pruned || decision == Decision::Vanish);
            match decision {
                Decision::Let(verdict) => gate.verdict = Some(verdict),
                Decision::Vanish => gate.verdict = Some(Verdict::Go),
                Decision::Crash => {}
            }
            gate.waker.wake_by_ref();
            upload
        };
        if let Some(upload) = &upload
            && self.hosts[number].as_ref().is_some_and(|host| host.is_pruning)
            && decision != Decision::Vanish
            && self.world.plan.hosts == 1
            && self.checker.is_owned(upload)
        {
            self.world.violation("pruning throws away what a job is at work on".to_owned());
        }
        match (decision, upload) {
            (Decision::Crash, _) => self.bury(number),
            (Decision::Vanish, Some(upload)) => self.ground.vanish(&upload),
            _ => {}
        }
    }

    fn alarm(&mut self, number: usize) {
        let job = self.random.below(self.jobs.len() as u64) as usize;
        let only_if_due = self.random.below(2) == 0;
        let is_stopped = !self.world.lock().is_calm && self.random.below(40) == 0;
        let wall = self.world.lock().wall;
        let is_early = self.checker.jobs()[job].1.wake_at.is_some_and(|at| at > wall);
        if is_early {
            self.world.met(Met::EarlyAlarm);
        }
        if is_stopped {
            self.world.met(Met::StoppedAlarm);
        }
        if self.hosts.iter().flatten().any(|host| host.step.is_some()) {
            self.world.met(Met::DuplicateAlarm);
        }
        self.world.trace(format!(
            "h{number} alarm j{job} only_if_due {only_if_due} stopped {is_stopped}"
        ));
        let id = self.jobs[job].clone();
        if let Some(host) = &mut self.hosts[number] {
            host.alarm(id, only_if_due, is_stopped);
        }
    }

    fn let_go(&mut self, number: usize) {
        let Some(host) = &self.hosts[number] else { return };
        self.world.met(Met::LetGo);
        self.world.trace(format!("h{number} lets go"));
        for job in &self.jobs {
            // Where it can't be saved, the lease lasts until its end.
            host.worker.let_go(job).ok();
        }
    }

    /// Time passes: to what is to happen next, or just so.
    fn advance(&mut self) {
        let wall = self.world.lock().wall;
        let next = {
            let state = self.world.lock();
            let sleepers = state.sleepers.values().map(|sleeper| sleeper.until - state.elapsed);
            let alarms = self.checker.jobs().into_iter().filter_map(|(_, job)| job.wake_at);
            sleepers.chain(alarms.map(|at| at - wall)).filter(|wait| *wait > 0).min()
        };
        let time = match (self.random.below(4), next) {
            (0 | 1, Some(wait)) => wait,
            _ => self.random.pick(&[1_000, 20_000, 61_000, 100_000]),
        };
        self.world.trace(format!("{time} ms pass"));
        self.world.advance(time);
    }

    /// The wall clock jumps.
    fn jump(&mut self) {
        let time = self.random.pick(&[1_000, 90_000, 3_600_000, 3 * 86_400_000]);
        let is_back = self.random.below(2) == 0;
        let jump = if is_back { -time } else { time };
        self.world.met(if is_back { Met::ClockBack } else { Met::ClockForward });
        if time > 86_400_000 {
            self.world.met(Met::ClockByDays);
        }
        self.world.trace(format!("the clock jumps by {jump} ms"));
        self.world.lock().wall += jump;
    }

    fn cancel(&mut self) {
        let job = self.random.below(self.jobs.len() as u64) as usize;
        let host = self.random.below(self.hosts.len() as u64) as usize;
        let Some(host) = &self.hosts[host] else { return };
        self.world.met(Met::Cancel);
        self.world.trace(format!("j{job} is wished to be cancelled"));
        host.worker.jobs().request_cancel(&self.jobs[job], now(&self.world)).ok();
    }

    fn place_foreign(&mut self) {
        let jobs = self.checker.jobs();
        let Some(name) = jobs.iter().find_map(|(_, job)| job.object.clone()) else { return };
        // Of the same length it is the hardest to tell apart.
        let mut bytes = self.ground.dumps[0].clone();
        bytes.fill(b'f');
        if self.random.below(2) == 0 {
            bytes.push(b'f');
        }
        if self.ground.place_foreign(&name, bytes) {
            self.world.met(Met::ForeignObject);
            self.world.trace(format!("somebody else's {name} appears"));
        }
    }

    fn ask_twice(&mut self) {
        let Some(host) = self.hosts.iter().flatten().next() else { return };
        self.has_asked_twice = true;
        let is_concurrent = self.random.below(2) == 0;
        let admitted = host.worker.jobs().admit(&self.request, is_concurrent, now(&self.world));
        self.world.met(Met::SecondRequest);
        let word = match admitted {
            Ok(Admission::New(id)) => {
                self.jobs.push(id);
                "a new job"
            }
            Ok(Admission::GoOn(_)) => "go on",
            Ok(Admission::Replace(_)) => "replace",
            Err(StateError::Running { .. }) => "running",
            Err(_) => {
                self.find_unheard_job();
                "failed"
            }
        };
        self.ground.set_jobs(self.jobs.len());
        self.world.trace(format!("the same again, concurrent {is_concurrent}: {word}"));
    }

    /// A job may have been saved and its asker not have heard of it.
    fn find_unheard_job(&mut self) {
        let jobs = partway::JobStore::open(&self.state).expect("the jobs");
        for record in jobs.list().expect("the jobs") {
            if !self.jobs.contains(&record.id) {
                self.jobs.push(record.id);
            }
        }
    }
}
