//! Running a job to its end, and how to resume it if it is interrupted.

use std::path::Path;

use anyhow::anyhow;
use partway_jobs::{JobId, JobRecord, JobState, StepError, StepOutcome, Totals, Worker};
use partway_verify::pluralize;
use tokio_util::sync::CancellationToken;

use crate::advice::advice;
use crate::failure::Failure;

/// How an interrupted job can be resumed.
pub struct ResumeHint<'a> {
    /// The state folder, if it was given by `--state`.
    pub state: Option<&'a Path>,
    /// Whether running the same command again resumes it, as for `partway export`.
    pub by_same_command: bool,
}

impl ResumeHint<'_> {
    fn text(&self, id: &JobId) -> String {
        let same = if self.by_same_command { ", run the same command again, or" } else { "" };
        let state = match self.state {
            Some(folder) => format!(" --state {}", shell_quoted(folder)),
            None => String::new(),
        };
        format!("to resume{same}: partway jobs resume {id}{state}")
    }
}

/// Runs a job until it is done. Any other end is a failure.
pub async fn run_to_end(
    worker: &Worker,
    id: &JobId,
    stop: &CancellationToken,
    hint: &ResumeHint<'_>,
) -> Result<JobRecord, Failure> {
    match worker.run(id, stop).await? {
        StepOutcome::Finished(record, error) => match record.state {
            JobState::Done => Ok(*record),
            JobState::Cancelled => {
                Err(anyhow!("job {id} was cancelled: {}", left_in_store(&record)).into())
            }
            _ => {
                let reason = reason(&record, error.as_ref());
                let error = error.filter(|_| record.starts == 0);
                let is = |what: fn(&StepError) -> bool| error.as_ref().is_some_and(what);
                let is_wrong_request = is(StepError::is_wrong_request);
                if is_wrong_request || is(StepError::is_wrong_place) {
                    // A typing error is no job to keep.
                    worker.jobs().remove(id)?;
                }
                Err(if is_wrong_request { Failure::Usage(reason) } else { reason.into() })
            }
        },
        StepOutcome::Refused(error) => {
            let advice = advice(&error);
            Err(anyhow!("{error}{advice}; job {id} was not changed").into())
        }
        StepOutcome::Stopped(record) => Err(Failure::Interrupted(format!(
            "interrupted after {}; {}",
            done(&record.totals),
            hint.text(id)
        ))),
        _ => {
            Err(anyhow!("another process is already running job {id}: see partway jobs show {id}")
                .into())
        }
    }
}

/// What is saved of a job. What is compressed or encrypted makes parts of many slices, and what is looked at first makes none.
fn done(totals: &Totals) -> String {
    match totals.parts {
        0 if totals.slices > 0 => format!(
            "{}, with {} read",
            pluralize(totals.slices.into(), "slice"),
            pluralize(totals.rows, "row")
        ),
        parts => pluralize(parts.into(), "part"),
    }
}

/// Why a job failed. The saved text says more than the error alone, but has no advice.
fn reason(record: &JobRecord, error: Option<&StepError>) -> anyhow::Error {
    let saved = record.last_error.as_deref().unwrap_or_default();
    let advice = error.map(|error| advice(error)).unwrap_or_default();
    let is_left = saved.contains("its data in the store could not be deleted");
    let left = if is_left { "; partway jobs prune deletes it later" } else { "" };
    anyhow!("{saved}{advice}{left}")
}

/// What a cancelled job has left in the store.
pub fn left_in_store(record: &JobRecord) -> String {
    match &record.last_error {
        Some(error) => format!("{error}; partway jobs prune deletes it later"),
        None => "nothing is left in the store".to_owned(),
    }
}

/// A path as a shell takes it.
fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_told_in_parts_or_slices() {
        for (parts, slices, rows, said) in [
            (3, 2, 10, "3 parts"),
            (0, 0, 0, "0 parts"),
            (0, 1, 1200, "1 slice, with 1200 rows read"),
        ] {
            let totals = Totals { parts, slices, rows, ..Totals::default() };
            assert_eq!(done(&totals), said);
        }
    }

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        for (path, quoted) in
            [("/var/a-b_1", "/var/a-b_1"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(shell_quoted(Path::new(path)), quoted);
        }
    }
}
