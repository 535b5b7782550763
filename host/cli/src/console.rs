//! Events of a job, on standard error.

use std::sync::{Mutex, PoisonError};

use partway_jobs::{JobEvent, JobId, Observer};
use partway_verify::pluralize;

use crate::advice::advice;
use crate::output::message;
use crate::progress::Progress;

/// Prints the events of the job that runs; on a terminal, with a progress bar.
#[derive(Default)]
pub struct Console(Mutex<Option<Progress>>);

impl Observer for Console {
    fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            JobEvent::Running { location, totals, expected, counters } => {
                *progress = None;
                if totals.slices > 0 {
                    message!(
                        "resuming {location} after {}",
                        pluralize(totals.parts.into(), "part")
                    );
                }
                let expected = *expected;
                *progress = Some(Progress::of(move || expected, counters, totals.slices));
            }
            JobEvent::Slice(totals) => {
                if let Some(progress) = &*progress {
                    progress.set_slices(totals.slices);
                }
            }
            JobEvent::StartingOver { location, reason } => {
                *progress = None;
                message!("starting over: {location} was not finished, and {reason}");
            }
            JobEvent::Retrying { error, attempt, retries, wait } => above(&progress, || {
                message!(
                    "{error}{}; trying again in {} s ({attempt} of {retries})",
                    advice(*error),
                    wait.as_secs()
                );
            }),
            JobEvent::UploadLeft(error) => above(&progress, || {
                message!(
                    "warning: the unfinished object of job {id} could not be deleted: {error}; \
                     partway jobs prune deletes it later"
                );
            }),
            JobEvent::Finished => *progress = None,
            _ => {}
        }
    }
}

/// Prints something where the bar does not draw over it.
fn above(progress: &Option<Progress>, print: impl FnOnce()) {
    match progress {
        Some(progress) => progress.above(print),
        None => print(),
    }
}
