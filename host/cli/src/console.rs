//! Events of a job, on standard error.

use std::sync::{Mutex, PoisonError};

use partway_jobs::{JobEvent, JobId, Observer};
use partway_verify::pluralize;

use crate::advice::advice;
use crate::output::message;
use crate::progress::Progress;

/// Prints the events of the job that runs; on a terminal, with a progress bar.
#[derive(Default)]
pub struct Console(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    progress: Option<Progress>,
    /// The warning that data in the store could not be deleted: printed unless the job ends now, and says it.
    upload_left: Option<String>,
}

impl Observer for Console {
    fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Shown { progress, upload_left } = &mut *shown;
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
                if let Some(progress) = progress {
                    progress.set_slices(totals.slices);
                }
            }
            JobEvent::StartingOver { location, reason } => {
                *progress = None;
                message!("starting over: {location} was not finished, and {reason}");
            }
            JobEvent::Retrying { error, attempt, retries, wait } => above(progress, || {
                message!(
                    "{error}{}; trying again in {} s ({attempt} of {retries})",
                    advice(*error),
                    wait.as_secs()
                );
            }),
            JobEvent::UploadLeft(error) => {
                *upload_left = Some(format!(
                    "warning: the unfinished object of job {id} could not be deleted: {error}; \
                     partway jobs prune deletes it later"
                ));
            }
            JobEvent::NoManifest(error) => above(progress, || {
                message!("warning: there is no manifest beside the object: {error}");
            }),
            // A job that ends with its data left says so itself.
            JobEvent::Ended(record) if record.last_error.is_some() => *upload_left = None,
            JobEvent::Finished => *progress = None,
            _ => {}
        }
        if !matches!(event, JobEvent::UploadLeft(_))
            && let Some(warning) = upload_left.take()
        {
            above(progress, || message!("{warning}"));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Where the job could not be saved, no event follows.
        if let Some(warning) = self.upload_left.take() {
            message!("{warning}");
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
