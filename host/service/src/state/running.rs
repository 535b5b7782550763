//! The progress of exports that run in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use partway_jobs::{JobEvent, JobId, Observer};
use partway_wasmtime::{Counters, WorkDone};
use tokio::sync::watch;

use super::metrics::Metrics;

/// The exports that run in this process: an observer of the jobs. Clones share what they know.
#[derive(Clone)]
pub struct RunningExports(Arc<Inner>);

struct Inner {
    metrics: Arc<Metrics>,
    running: Mutex<HashMap<JobId, Running>>,
    /// How many have finished. Tasks that wait for one check theirs when this changes.
    finished: watch::Sender<u64>,
}

struct Running {
    counters: Arc<Counters>,
    started: Instant,
    /// What was done before it started, or resumed, in this process.
    first: WorkDone,
    first_bytes: u64,
}

/// How far an export is, and how fast it has been since it started, or resumed, in this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProgressSnapshot {
    pub done: WorkDone,
    pub bytes: u64,
    pub parts: u64,
    /// What was done before, and for how many seconds it has run since.
    pub first: WorkDone,
    pub seconds: f64,
    pub bytes_per_second: f64,
}

impl RunningExports {
    /// None yet. What happens to them is counted in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner { metrics, running: Mutex::default(), finished: watch::channel(0).0 }))
    }

    /// How far an export is; none where it does not run in this process.
    pub fn progress(&self, id: &JobId) -> Option<ProgressSnapshot> {
        let running = self.running();
        let Running { counters, started, first, first_bytes } = running.get(id)?;
        let seconds = started.elapsed().as_secs_f64().max(0.001);
        // Before its first slice in this process nothing has been counted yet.
        let done = counters.work_done();
        let done = if done.weight < first.weight { *first } else { done };
        let bytes = counters.bytes().max(*first_bytes);
        Some(ProgressSnapshot {
            done,
            bytes,
            parts: counters.parts(),
            first: *first,
            seconds,
            bytes_per_second: (bytes - first_bytes) as f64 / seconds,
        })
    }

    /// Changes when an export has finished.
    pub fn finished(&self) -> watch::Receiver<u64> {
        self.0.finished.subscribe()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for RunningExports {
    fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        self.0.metrics.event(id, event);
        match event {
            JobEvent::Running { totals, counters, .. } => {
                let running = Running {
                    counters: Arc::clone(counters),
                    started: Instant::now(),
                    first: totals.work_done(),
                    first_bytes: totals.bytes,
                };
                self.running().insert(id.clone(), running);
            }
            JobEvent::StartingOver { .. } => {
                self.running().remove(id);
            }
            JobEvent::Finished => {
                self.running().remove(id);
                self.0.finished.send_modify(|number| *number += 1);
            }
            _ => {}
        }
    }
}
