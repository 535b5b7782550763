//! Admitting requests: one export of a database to a store at a time, unless requested otherwise.
//! Cancelling and resuming.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::columns::json;
use crate::job_store::{JobStore, TransactionError, insert};
use crate::lease::lease_to;
use crate::record::{JobId, JobRecord, JobState};
use crate::request::ExportRequest;
use crate::state_error::StateError;

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A new job.
    New(JobId),
    /// There is an unfinished job for the same object: resume it.
    Resume(JobId),
    /// An unfinished job for the same database, store and name has other options, or is failing or
    /// being cancelled: cancel it first.
    Replace(JobId),
}

impl JobStore {
    /// Creates a job from a request, or finds the unfinished job that it resumes.
    ///
    /// # Errors
    ///
    /// [`StateError::Running`] if a process is exporting the same database to the same store,
    /// unless `concurrent`.
    pub fn admit(
        &self,
        request: &ExportRequest,
        concurrent: bool,
        now: Timestamp,
    ) -> Result<Admission, StateError> {
        self.admit_for(request, concurrent, None, now)
    }

    /// Like [`JobStore::admit`], with a lease on the job for `owner`, so that no other process can
    /// claim it in between.
    pub(crate) fn admit_for(
        &self,
        request: &ExportRequest,
        concurrent: bool,
        owner: Option<&str>,
        now: Timestamp,
    ) -> Result<Admission, StateError> {
        let database = request.database.display().to_string();
        let store = request.store.identity();
        self.write(|transaction| {
            let mut unfinished = self.unfinished(transaction, &database, &store)?;
            if !concurrent {
                refuse_held(&unfinished, now)?;
            }
            unfinished.retain(|record| !record.is_held(now) && record.request.name == request.name);
            for record in unfinished {
                let is_resumable = matches!(
                    record.state,
                    JobState::Waiting | JobState::Running | JobState::Completing
                );
                let is_same = is_same_export(&record, request);
                if request.name.is_none() && !(is_resumable && is_same) {
                    // Another object, which gets another name: this job is left as it is.
                    continue;
                }
                if !is_resumable || record.cancel_requested || !is_same {
                    lease_to(transaction, &record.id, owner, now)?;
                    return Ok(Admission::Replace(record.id));
                }
                let mut changed = record.request;
                changed.pace = request.pace.clone();
                changed.on_change = request.on_change;
                changed.snapshot = request.snapshot;
                transaction.execute(
                    "UPDATE export_jobs SET options = ?2 WHERE id = ?1",
                    params![record.id.0, json(&changed)?],
                )?;
                lease_to(transaction, &record.id, owner, now)?;
                return Ok(Admission::Resume(record.id));
            }
            let id = insert(transaction, request, None, now)?;
            lease_to(transaction, &id, owner, now)?;
            Ok(Admission::New(id))
        })
    }

    /// Requests that a job be cancelled. A process working on it notices within seconds; otherwise
    /// its next step, which is due at once, cancels it.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn request_cancel(&self, id: &JobId, now: Timestamp) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE export_jobs SET cancel_requested = 1, wake_at = min(wake_at, ?2) \
                 WHERE id = ?1 AND finished_at IS NULL",
                params![id.0, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Lets a failed or cancelled job start over, and an unfinished one continue at once.
    ///
    /// # Errors
    ///
    /// [`StateError::Running`] if a process is working on it, or is exporting the same database to
    /// the same store.
    pub fn request_resume(&self, id: &JobId, now: Timestamp) -> Result<(), StateError> {
        self.write(|transaction| {
            for record in self.records(transaction, "WHERE id = ?1", [&id.0])? {
                let database = record.request.database.display().to_string();
                refuse_held(&self.unfinished(transaction, &database, &record.store)?, now)?;
            }
            transaction.execute(
                "UPDATE export_jobs SET state = 'waiting', starts = 0, finished_at = NULL, object = NULL, \
                     skips_damaged = 0 \
                 WHERE id = ?1 AND state IN ('failed', 'cancelled')",
                [&id.0],
            )?;
            // It ends once more, and its callback is sent once more.
            transaction.execute(
                "UPDATE export_callbacks SET next_at = ?2, attempts = 0, delivered_at = NULL, last_error = NULL \
                 WHERE job = ?1 AND (SELECT finished_at FROM export_jobs WHERE id = ?1) IS NULL",
                params![id.0, now.as_millisecond()],
            )?;
            transaction.execute(
                "UPDATE export_jobs SET wake_at = ?2, attempts = 0, cancel_requested = 0, moved_at = ?2 \
                 WHERE id = ?1 AND finished_at IS NULL",
                params![id.0, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    fn unfinished(
        &self,
        connection: &Connection,
        database: &str,
        store: &str,
    ) -> Result<Vec<JobRecord>, TransactionError> {
        let clause =
            "WHERE database = ?1 AND store = ?2 AND finished_at IS NULL ORDER BY created_at, rowid";
        self.records(connection, clause, [database, store])
    }
}

/// One export of a database to a store at a time.
fn refuse_held(unfinished: &[JobRecord], now: Timestamp) -> Result<(), StateError> {
    match unfinished.iter().find(|record| record.is_held(now)) {
        Some(held) => Err(StateError::Running {
            id: held.id.clone(),
            database: held.request.database.display().to_string(),
            store: held.store.clone(),
        }),
        None => Ok(()),
    }
}

/// Whether an unfinished job makes the requested object, byte for byte.
fn is_same_export(record: &JobRecord, request: &ExportRequest) -> bool {
    let chosen = record.part_size.map(u64::from).or(record.request.part_size);
    let same_part_size = match (request.part_size, chosen) {
        (Some(asked), Some(chosen)) => asked == chosen,
        // One that is not asked for is whatever was chosen.
        (asked, _) => asked.is_none(),
    };
    same_part_size && record.request.is_same_export(request)
}
