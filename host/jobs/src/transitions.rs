//! The transitions between the states of a job, and what is done about each failure.
//!
//! ```text
//! waiting ──▶ running ──▶ completing ──▶ done
//!    ▲           │            │
//!    └───────────┴────────────┘                    start over
//!
//! waiting, running, completing ──▶ failing ──▶ failed
//! waiting, running, completing, failing ──▶ cancelling ──▶ cancelled
//! failing, cancelling ──▶ done                     the object had appeared after all
//! failed, cancelled ──▶ waiting                    resumed on request
//! ```
//!
//! Every transition is saved under the job's lease before anything follows from it. `progress.rs` has the saves, and the
//! last transition, which needs no lease, is in `admission.rs`.

use partway_sqlite::{FilterError, OpenError};
use partway_store::StoreError;
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::ExportError;

use crate::chosen_tables::TableError;
use crate::codec_component::CodecComponentError;
use crate::job_error::JobError;
use crate::record::{JobRecord, JobState};
use crate::request::OnChange;
use crate::step_error::StepError;

/// How often a job is begun, all in all: where its upload vanishes again and again, it fails.
const MAX_STARTS: u32 = 5;

/// The state after an upload has begun, or a slice is done: whether that was the last.
pub(crate) fn after_slice(is_last: bool) -> JobState {
    if is_last { JobState::Completing } else { JobState::Running }
}

/// The state after the data in the store has been deleted, or can't be.
pub(crate) fn after_clean_up(state: JobState) -> JobState {
    if state == JobState::Cancelling { JobState::Cancelled } else { JobState::Failed }
}

/// Whether the job comes to nothing, and only has to throw away what is in the store.
pub(crate) fn is_ending(state: JobState) -> bool {
    matches!(state, JobState::Failing | JobState::Cancelling)
}

/// What helps against a failure, as far as the failure itself tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The step may go well another time.
    Retry,
    /// So too, if the job has begun: the store was there, and let us in, and keys expire and are renewed; the disk that the
    /// database is on was mounted, and may be again.
    RetryIfBegun,
    /// This process can't do it, for reasons of its environment; another may.
    LeaveToOthers,
    /// The export may go well from its start.
    StartOver,
    /// It may go well from its start if what is damaged is left out.
    SkipDamaged,
    /// There was nothing wrong: the step was interrupted on request.
    Stop,
    /// The job is another process' business.
    Drop,
    /// Nothing helps.
    Fail,
}

/// The remedy for each failure.
pub(crate) fn remedy(error: &StepError) -> Remedy {
    match error {
        StepError::Job(error) => job_remedy(error),
        StepError::Changed | StepError::OtherComponent => Remedy::StartOver,
        StepError::Open(error) => open_remedy(error),
        StepError::OtherStore { .. } | StepError::Address(_) | StepError::Load { .. } => {
            Remedy::LeaveToOthers
        }
        StepError::CutOff(_) | StepError::Filter(FilterError::Read(_)) => Remedy::Retry,
        StepError::Tables(TableError::Schema(_)) => Remedy::Retry,
        StepError::Unmounted(_) => Remedy::RetryIfBegun,
        StepError::LeaseLost => Remedy::Drop,
        StepError::PartSize(_)
        | StepError::Filter(_)
        | StepError::Tables(_)
        | StepError::MayNotStartOver
        | StepError::TooManyStarts { .. } => Remedy::Fail,
    }
}

fn job_remedy(error: &JobError) -> Remedy {
    match error {
        error if error.is_interrupted() => Remedy::Stop,
        error if error.is_damage() => Remedy::SkipDamaged,
        JobError::Store(StoreError::UploadGone { .. } | StoreError::Taken { .. })
        | JobError::Damaged
        | JobError::Call(CallError::Exporter(ExportError::InvalidCheckpoint(_))) => {
            Remedy::StartOver
        }
        // The file may come back.
        JobError::Codec(CodecComponentError::Load { .. }) => Remedy::LeaveToOthers,
        error if error.is_transient() => Remedy::Retry,
        JobError::Store(StoreError::Refused { .. } | StoreError::NotFound { .. }) => {
            Remedy::RetryIfBegun
        }
        _ => Remedy::Fail,
    }
}

/// A database that is gone while other files of its folder are there was deleted or moved, and a right that was taken away
/// does not come back by itself: waiting helps neither. A disk that is not mounted is [`StepError::Unmounted`], and a
/// network file system that has lost its server (`ESTALE`, say) gives I/O errors, which are [`OpenError::Other`].
fn open_remedy(error: &OpenError) -> Remedy {
    match error {
        OpenError::Busy { .. } | OpenError::Other { .. } | OpenError::Copy { .. } => Remedy::Retry,
        _ => Remedy::Fail,
    }
}

/// What follows from a failure of a step.
#[derive(Debug)]
pub(crate) enum AfterFailure {
    /// The job stays as it is, without a lease: another process may resume it.
    LeaveToOthers(StepError),
    /// Like [`AfterFailure::LeaveToOthers`]: this process is to stop.
    Stop,
    /// The same step again, as a cancelled job this time.
    Cancel,
    /// Nothing: another process has the job.
    Drop,
    /// The step is retried, after a wait that grows with each failure.
    Retry(StepError),
    /// To [`JobState::Waiting`].
    StartOver {
        /// Why.
        reason: String,
        /// Whether it leaves out what is damaged from now on.
        skips_damaged: bool,
    },
    /// To [`JobState::Failing`].
    Fail(StepError),
    /// To [`JobState::Failed`] or [`JobState::Cancelled`], although the data in the store could not
    /// be deleted.
    End(StepError),
}

/// What follows from a failure, by its remedy and by how far the job is.
pub(crate) fn after_failure(
    record: &JobRecord,
    error: StepError,
    is_cancelled: bool,
) -> AfterFailure {
    let is_ending = is_ending(record.state);
    match remedy(&error) {
        Remedy::LeaveToOthers if record.object.is_some() || is_ending => {
            AfterFailure::LeaveToOthers(error)
        }
        Remedy::Drop => AfterFailure::Drop,
        // What can't even be opened can't be thrown away.
        _ if is_ending => AfterFailure::End(error),
        Remedy::Stop if is_cancelled => AfterFailure::Cancel,
        Remedy::Stop => AfterFailure::Stop,
        Remedy::RetryIfBegun if record.state == JobState::Waiting => AfterFailure::Fail(error),
        Remedy::Retry | Remedy::RetryIfBegun if has_retries(record) => AfterFailure::Retry(error),
        Remedy::Retry | Remedy::RetryIfBegun => AfterFailure::Fail(error),
        Remedy::SkipDamaged if !record.skips_damaged && record.request.component.is_none() => {
            let reason = format!("{error}. The rest will be exported");
            AfterFailure::StartOver { reason, skips_damaged: true }
        }
        Remedy::StartOver => start_over(record, error),
        Remedy::SkipDamaged | Remedy::LeaveToOthers | Remedy::Fail => AfterFailure::Fail(error),
    }
}

fn start_over(record: &JobRecord, error: StepError) -> AfterFailure {
    let is_changed = matches!(error, StepError::Changed);
    if is_changed && record.request.on_change == OnChange::Fail {
        return AfterFailure::Fail(StepError::MayNotStartOver);
    }
    // A database may change as often as it likes.
    if !is_changed && record.starts >= MAX_STARTS {
        let (starts, reason) = (record.starts, error.to_string());
        return AfterFailure::Fail(StepError::TooManyStarts { starts, reason });
    }
    // What was damaged then may be whole now.
    let skips_damaged = record.skips_damaged && !is_changed;
    AfterFailure::StartOver { reason: error.to_string(), skips_damaged }
}

/// Whether deleting the data in the store is retried.
pub(crate) fn retries_clean_up(record: &JobRecord, error: &StoreError) -> bool {
    error.is_transient() && has_retries(record)
}

fn has_retries(record: &JobRecord) -> bool {
    record.attempts < record.request.pace.retries
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{ExportRequest, JobStore, Pace};

    /// A job as it is saved when it has been asked for.
    fn waiting() -> JobRecord {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobStore::open(folder.path()).unwrap();
        let pace = Pace { retries: 2, ..Pace::default() };
        let request = ExportRequest { pace, ..ExportRequest::example() };
        jobs.queue(&request, None, None, 1, Timestamp::now()).unwrap();
        jobs.list().unwrap().remove(0)
    }

    fn running() -> JobRecord {
        let object = Some("app.sql".to_owned());
        JobRecord { state: JobState::Running, object, starts: 1, ..waiting() }
    }

    fn missing() -> StepError {
        StepError::Open(OpenError::NotFound { path: "/app.db".into() })
    }

    fn unmounted() -> StepError {
        StepError::Unmounted("/app.db".into())
    }

    fn interrupted() -> StepError {
        StepError::interrupted()
    }

    #[test]
    fn a_failure_is_retried_while_retries_are_left() {
        let mut record = running();
        let cut_off = || StepError::CutOff(std::time::Duration::from_secs(1));
        assert!(matches!(after_failure(&record, cut_off(), false), AfterFailure::Retry(_)));
        assert!(matches!(after_failure(&record, unmounted(), false), AfterFailure::Retry(_)));
        record.attempts = 2;
        assert!(matches!(after_failure(&record, cut_off(), false), AfterFailure::Fail(_)));
        // There is nothing to lose yet.
        assert!(matches!(after_failure(&waiting(), unmounted(), false), AfterFailure::Fail(_)));
    }

    #[test]
    fn what_does_not_pass_by_itself_fails_at_once() {
        let (path, reason) = (std::path::PathBuf::from("/app.db"), String::new());
        for error in [
            OpenError::NotFound { path: path.clone() },
            OpenError::Permission { path: path.clone() },
            OpenError::NeedsWrite { path: path.clone(), reason },
        ] {
            let failed = after_failure(&running(), StepError::Open(error), false);
            assert!(matches!(failed, AfterFailure::Fail(_)), "{failed:?}");
        }
        let (path, reason) = (path, "disk I/O error".to_owned());
        let stale = StepError::Open(OpenError::Other { path, reason });
        assert!(matches!(after_failure(&running(), stale, false), AfterFailure::Retry(_)));
    }

    #[test]
    fn a_changed_database_starts_over_as_often_as_it_changes() {
        let mut record = JobRecord { starts: 99, skips_damaged: true, ..running() };
        let AfterFailure::StartOver { skips_damaged, .. } =
            after_failure(&record, StepError::Changed, false)
        else {
            panic!("it does not start over")
        };
        assert!(!skips_damaged);
        let other = after_failure(&record, StepError::OtherComponent, false);
        assert!(matches!(other, AfterFailure::Fail(StepError::TooManyStarts { starts: 99, .. })));
        record.request.on_change = OnChange::Fail;
        let changed = after_failure(&record, StepError::Changed, false);
        assert!(matches!(changed, AfterFailure::Fail(StepError::MayNotStartOver)));
    }

    #[test]
    fn a_job_that_is_ending_ends_whatever_fails() {
        for state in [JobState::Failing, JobState::Cancelling] {
            let record = JobRecord { state, ..running() };
            for error in [missing(), StepError::Changed, interrupted()] {
                assert!(matches!(after_failure(&record, error, true), AfterFailure::End(_)));
            }
            let lost = after_failure(&record, StepError::LeaseLost, true);
            assert!(matches!(lost, AfterFailure::Drop));
        }
    }

    #[test]
    fn an_interruption_stops_a_job_or_cancels_it() {
        assert!(matches!(after_failure(&running(), interrupted(), false), AfterFailure::Stop));
        assert!(matches!(after_failure(&running(), interrupted(), true), AfterFailure::Cancel));
    }
}
