//! What becomes of a job, on standard error.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use partway_jobs::{JobEvent, JobId, Observer};

use crate::progress::Progress;
use crate::words::counted;

/// Says what becomes of the one job that runs, with a bar on a terminal.
#[derive(Default)]
pub struct Console(Mutex<Option<Progress>>);

impl Observer for Console {
    fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            JobEvent::Running { location, totals, expected, counters } => {
                if totals.slices > 0 {
                    eprintln!(
                        "partway: going on with {location} behind {}",
                        counted(totals.parts.into(), "part")
                    );
                }
                let expected = *expected;
                *progress = Some(Progress::of(move || expected, counters));
            }
            JobEvent::Slice(totals) => {
                if let Some(progress) = &*progress {
                    progress.slices.store(totals.slices, Ordering::Relaxed);
                }
            }
            JobEvent::StartingOver { location, reason } => {
                *progress = None;
                eprintln!("partway: starting over: {location} was not finished, and {reason}");
            }
            JobEvent::Retrying { error, attempt, retries, wait } => {
                // The bar would draw over it.
                *progress = None;
                eprintln!(
                    "partway: {error}; trying again in {} s ({attempt} of {retries})",
                    wait.as_secs()
                );
            }
            JobEvent::UploadLeft(error) => eprintln!(
                "partway: warning: the unfinished object of job {id} could not be removed: {error}; \
                 partway jobs prune does it later"
            ),
            JobEvent::Finished => *progress = None,
            _ => {}
        }
    }
}
