//! What the exports that run in this process are doing just now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use partway_jobs::{JobEvent, JobId, Observer};
use partway_wasmtime::Counters;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// Looks on while the timer works. Clones look at the same.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    metrics: Arc<Metrics>,
    going: Mutex<HashMap<JobId, Going>>,
    /// How many have finished: who waits for one looks when it changes.
    finished: watch::Sender<u64>,
}

struct Going {
    counters: Arc<Counters>,
    since: Instant,
    first_rows: u64,
    first_bytes: u64,
}

/// How far an export is, and how fast, since it began or went on in this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pulse {
    pub rows: u64,
    pub bytes: u64,
    pub parts: u64,
    pub rows_per_second: f64,
    pub bytes_per_second: f64,
}

impl Live {
    /// Where nothing is going on yet. What happens is counted.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner { metrics, going: Mutex::default(), finished: watch::channel(0).0 }))
    }

    /// What an export is doing; none where it does not run here.
    pub fn pulse(&self, id: &JobId) -> Option<Pulse> {
        let going = self.going();
        let Going { counters, since, first_rows, first_bytes } = going.get(id)?;
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        // Before its first slice in this process nothing is counted yet.
        let rows = counters.rows().max(*first_rows);
        let bytes = counters.bytes().max(*first_bytes);
        Some(Pulse {
            rows,
            bytes,
            parts: counters.parts(),
            rows_per_second: (rows - first_rows) as f64 / seconds,
            bytes_per_second: (bytes - first_bytes) as f64 / seconds,
        })
    }

    /// Changes when an export has finished.
    pub fn finished(&self) -> watch::Receiver<u64> {
        self.0.finished.subscribe()
    }

    fn going(&self) -> MutexGuard<'_, HashMap<JobId, Going>> {
        self.0.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Live {
    fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        self.0.metrics.event(id, event);
        match event {
            JobEvent::Running { totals, counters, .. } => {
                let going = Going {
                    counters: Arc::clone(counters),
                    since: Instant::now(),
                    first_rows: totals.rows,
                    first_bytes: totals.bytes,
                };
                self.going().insert(id.clone(), going);
            }
            JobEvent::StartingOver { .. } => {
                self.going().remove(id);
            }
            JobEvent::Finished => {
                self.going().remove(id);
                self.0.finished.send_modify(|number| *number += 1);
            }
            _ => {}
        }
    }
}
