//! What the hosts of a schedule share: the clock, the gates that they wait at, who is alive, and the trace.

use partway_manifest::MANIFEST_SUFFIX;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use super::plan::Plan;
use super::tally::{Met, Tally};

/// What a host asks of its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Look,
    Begin,
    /// Of a part, in a slice.
    Write,
    /// Of a manifest, in one go.
    WriteManifest,
    Complete,
    Find,
    Abort,
    List,
}

impl Kind {
    /// The kind of a write to an object of this name.
    pub fn of_write(name: &str) -> Self {
        if name.ends_with(MANIFEST_SUFFIX) { Self::WriteManifest } else { Self::Write }
    }
}

/// Before an effect, or after it, when its answer is on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    Before,
    After,
}

/// One life of a host: when it crashes, the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Actor {
    pub host: usize,
    pub life: u32,
}

/// What a host hears at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Go,
    Fail,
    Refuse,
    Hang,
    /// The request is on its way, and arrives after its sender has given it up, or died.
    Late,
    /// The effect gets so far, and no further.
    CrashAmid(u32),
}

/// Where a host stands.
#[derive(Debug, Default)]
pub enum Stand {
    /// It works, or rests.
    #[default]
    Going,
    /// It waits at a gate.
    AtGate(AtGate),
    /// It hears nothing from its store.
    Hung,
}

#[derive(Debug)]
pub struct AtGate {
    pub id: u64,
    pub kind: Kind,
    pub moment: Moment,
    /// The upload that the effect is about.
    pub upload: Option<String>,
    pub verdict: Option<Verdict>,
    pub waker: Waker,
}

/// A host, as the world sees it.
#[derive(Debug, Default)]
pub struct HostState {
    pub life: u32,
    pub is_dead: bool,
    /// Counts its steps; what an earlier one has left behind does nothing any more.
    pub step: u64,
    pub stand: Stand,
    /// A write of the present step has failed: the parts behind it count for nothing, and whether the component gets
    /// to hand in another one is a matter of nanoseconds.
    pub has_failed_to_write: bool,
    pub occurrences: HashMap<(Kind, Moment), u64>,
    pub commits: u64,
}

/// Somebody sleeps.
#[derive(Debug)]
pub struct Sleeper {
    pub host: usize,
    pub until: i64,
    pub is_over: bool,
    pub waker: Waker,
}

/// The world of one schedule.
pub struct World {
    pub plan: Plan,
    state: Mutex<State>,
    is_traced: bool,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).finish_non_exhaustive()
    }
}

pub struct State {
    /// Milliseconds since 1970, by a clock that may jump.
    pub wall: i64,
    /// Milliseconds since the schedule's beginning.
    pub elapsed: i64,
    pub hosts: Vec<HostState>,
    pub sleepers: BTreeMap<u64, Sleeper>,
    /// Wakes the scheduler.
    pub scheduler: Option<Waker>,
    /// Nothing goes wrong any more.
    pub is_calm: bool,
    /// And nobody waits at gates.
    pub is_open: bool,
    pub trace: Vec<String>,
    pub tally: Tally,
    pub violations: Vec<String>,
    next: u64,
}

/// When every schedule begins.
const BEGINNING: i64 = 1_900_000_000_000;

impl World {
    pub fn new(plan: Plan, is_traced: bool) -> Arc<Self> {
        let hosts = (0..plan.hosts).map(|_| HostState::default()).collect();
        let state = State {
            wall: BEGINNING,
            elapsed: 0,
            hosts,
            sleepers: BTreeMap::new(),
            scheduler: None,
            is_calm: false,
            is_open: false,
            trace: Vec::new(),
            tally: Tally::default(),
            violations: Vec::new(),
            next: 0,
        };
        Arc::new(Self { plan, state: Mutex::new(state), is_traced })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }

    pub fn trace(&self, line: String) {
        if self.is_traced {
            eprintln!("{line}");
        }
        self.lock().trace.push(line);
    }

    pub fn met(&self, met: Met) {
        self.lock().tally.add(met);
    }

    pub fn violation(&self, text: String) {
        self.trace(format!("VIOLATION {text}"));
        self.lock().violations.push(text);
    }

    /// Whether somebody who does something is still alive.
    pub fn is_alive(&self, actor: Actor) -> bool {
        let state = self.lock();
        let host = &state.hosts[actor.host];
        host.life == actor.life && !host.is_dead
    }

    /// From now on nothing of this host has any effect.
    pub fn kill(&self, actor: Actor) {
        let mut state = self.lock();
        if state.hosts[actor.host].life == actor.life {
            state.hosts[actor.host].is_dead = true;
        }
        state.wake_scheduler();
    }

    /// Lets time pass: sleepers wake.
    pub fn advance(&self, milliseconds: i64) {
        let mut state = self.lock();
        state.wall += milliseconds;
        state.elapsed += milliseconds;
        let now = state.elapsed;
        for sleeper in state.sleepers.values_mut() {
            if sleeper.until <= now && !sleeper.is_over {
                sleeper.is_over = true;
                sleeper.waker.wake_by_ref();
            }
        }
    }
}

impl State {
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn wake_scheduler(&mut self) {
        if let Some(waker) = self.scheduler.take() {
            waker.wake();
        }
    }

    /// Whether a host that does a step will do nothing before it is let on, or time passes.
    pub fn is_still(&self, host: usize) -> bool {
        let is_waiting = match &self.hosts[host].stand {
            Stand::Going => false,
            Stand::AtGate(gate) => gate.verdict.is_none(),
            Stand::Hung => true,
        };
        is_waiting && !self.sleepers.values().any(|sleeper| sleeper.host == host && sleeper.is_over)
    }

    /// Begins a step; what is left of the one before is over.
    pub fn begin_step(&mut self, host: usize) {
        let host = &mut self.hosts[host];
        host.step += 1;
        host.stand = Stand::Going;
        host.has_failed_to_write = false;
    }
}
