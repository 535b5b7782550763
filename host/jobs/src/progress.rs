//! What is kept of a job's progress, under its lease: never more than is safe in the store.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::error::StateError;
use crate::job::{Finished, Job, JobOptions};
use crate::lease::{Lease, end, release};
use crate::record::{JobRecord, JobState};
use crate::store::{JobStore, Problem, from_json, json};
use partway_sqlite::Expected;
use partway_store::{HashState, UploadId};

/// What a change under a lease says of the next alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) wake_at: Timestamp,
    /// Whether this process means to go on itself.
    pub(crate) keeps_lease: bool,
}

impl JobStore {
    /// What going on with a job needs.
    pub(crate) fn load(&self, record: &JobRecord) -> Result<Option<Job>, StateError> {
        let (Some(object), Some(part_size)) = (&record.object, record.part_size) else {
            return Ok(None);
        };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT receipt FROM export_parts WHERE job = ?1 ORDER BY number",
            )?;
            let part_ids =
                statement.query_map([&record.id.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut statement =
                connection.prepare_cached("SELECT * FROM export_jobs WHERE id = ?1")?;
            let job = statement.query_row([&record.id.0], |row| {
                let Some(id) = row.get("upload_id")? else { return Ok(None) };
                let job = Job {
                    options: options(record, part_size),
                    fingerprint: from_json(row, "fingerprint")?,
                    component: row.get("component")?,
                    totals: record.totals.clone(),
                    upload: UploadId { name: object.clone(), id },
                    checkpoint: row.get("checkpoint")?,
                    part_ids,
                    hash: from_json(row, "hash")?.unwrap_or_default(),
                    ended: row.get("ended")?,
                };
                Ok(Some(job))
            });
            Ok(job?)
        })
    }

    /// Saves an upload that has begun.
    pub(crate) fn save_begun(
        &self,
        lease: &Lease,
        job: &Job,
        expected: Expected,
        next: Next,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let fingerprint = job.fingerprint.as_ref().map(json).transpose()?;
        self.under(lease, |transaction| {
            transaction.execute("DELETE FROM export_parts WHERE job = ?1", [&lease.id.0])?;
            transaction.execute(
                "UPDATE export_jobs SET object = ?2, upload_id = ?3, part_size = ?4, component = ?5, \
                     fingerprint = ?6, expected = ?7, starts = starts + 1 \
                 WHERE id = ?1",
                params![
                    lease.id.0,
                    job.upload.name,
                    job.upload.id,
                    job.options.part_size,
                    job.component,
                    fingerprint,
                    json(&expected)?
                ],
            )?;
            save_progress(transaction, lease, job, next, now)
        })
    }

    /// Saves a slice: the checkpoint, and the part_ids of parts that are all safe in the store.
    pub(crate) fn save_slice(
        &self,
        lease: &Lease,
        job: &Job,
        parts_before: usize,
        next: Next,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO export_parts (job, number, receipt) VALUES (?1, ?2, ?3)",
            )?;
            for (number, receipt) in job.part_ids.iter().enumerate().skip(parts_before) {
                insert.execute(params![lease.id.0, number as i64 + 1, receipt])?;
            }
            save_progress(transaction, lease, job, next, now)
        })
    }

    /// Saves that a step has failed and is to be tried again; the lease lasts until then, and longer.
    pub(crate) fn save_failure(
        &self,
        lease: &Lease,
        error: &str,
        attempts: u32,
        wake_at: Timestamp,
    ) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET last_error = ?2, attempts = ?3, wake_at = ?4, lease_until = ?5 \
                 WHERE id = ?1",
                params![lease.id.0, error, attempts, wake_at.as_millisecond(), end(wake_at)],
            )?;
            Ok(())
        })
    }

    /// Saves that the job is to begin anew. Its upload stays known, to be thrown away.
    pub(crate) fn save_restart(
        &self,
        lease: &Lease,
        reason: &str,
        skips_damaged: bool,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute("DELETE FROM export_parts WHERE job = ?1", [&lease.id.0])?;
            transaction.execute(
                "UPDATE export_jobs SET state = 'waiting', checkpoint = '', hash = NULL, ended = 0, \
                     fingerprint = NULL, totals = NULL, last_error = ?2, skips_damaged = ?3, wake_at = ?4 \
                 WHERE id = ?1",
                params![lease.id.0, reason, skips_damaged, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Saves that the job comes to nothing; what is in the store is to be thrown away next.
    pub(crate) fn save_end_begun(
        &self,
        lease: &Lease,
        state: JobState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET state = ?2, last_error = ?3, attempts = 0, \
                     wake_at = ?4 \
                 WHERE id = ?1",
                params![lease.id.0, state.as_str(), reason, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Saves that the object has not appeared, and that the upload is to be thrown away next.
    pub(crate) fn save_uncompleted(&self, lease: &Lease) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute("UPDATE export_jobs SET ended = 0 WHERE id = ?1", [&lease.id.0])?;
            Ok(())
        })
    }

    /// Saves that the job has come to nothing.
    pub(crate) fn save_ended(
        &self,
        lease: &Lease,
        state: JobState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.under(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET last_error = coalesce(?2, last_error) WHERE id = ?1",
                params![lease.id.0, reason],
            )?;
            finish(transaction, lease, state, now)?;
            self.only(transaction, lease)
        })
    }

    /// Saves that the object is there.
    pub(crate) fn save_done(
        &self,
        lease: &Lease,
        finished: &Finished,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.under(lease, |transaction| {
            // First, so that the object's name may be one that an unfinished job has taken: it came out under the next.
            finish(transaction, lease, JobState::Done, now)?;
            transaction.execute(
                "UPDATE export_jobs SET object = ?2, location = ?3, sha256 = ?4, last_error = NULL, moved_at = ?5 \
                 WHERE id = ?1",
                params![
                    lease.id.0,
                    finished.name,
                    finished.location,
                    finished.sha256,
                    now.as_millisecond()
                ],
            )?;
            self.only(transaction, lease)
        })
    }

    /// The job that a lease is on.
    fn only(&self, transaction: &Transaction<'_>, lease: &Lease) -> Result<JobRecord, Problem> {
        let record = self.records(transaction, "WHERE id = ?1", [&lease.id.0])?.pop();
        record.ok_or_else(|| StateError::UnknownJob(lease.id.0.clone()).into())
    }
}

/// The options of the component for a job.
pub(crate) fn options(record: &JobRecord, part_size: u32) -> JobOptions {
    let request = &record.request;
    let mut settings = request.settings.clone();
    if record.skips_damaged {
        settings.push(skip_damaged());
    }
    JobOptions {
        format: request.format.clone(),
        tables: request.tables.clone(),
        part_size,
        settings,
    }
}

/// The setting by which the component leaves out what is damaged.
pub fn skip_damaged() -> (String, String) {
    ("damaged".to_owned(), "skip".to_owned())
}

fn save_progress(
    transaction: &Transaction<'_>,
    lease: &Lease,
    job: &Job,
    next: Next,
    now: Timestamp,
) -> Result<(), Problem> {
    let state = if job.ended { JobState::Completing } else { JobState::Running };
    let mut update = transaction.prepare_cached(
        "UPDATE export_jobs SET state = ?2, checkpoint = ?3, hash = ?4, totals = ?5, attempts = 0, \
             last_error = NULL, wake_at = ?6, lease_until = ?7, moved_at = ?8, ended = ?9 \
         WHERE id = ?1",
    )?;
    update.execute(params![
        lease.id.0,
        state.as_str(),
        job.checkpoint,
        json::<HashState>(&job.hash)?,
        json(&job.totals)?,
        next.wake_at.as_millisecond(),
        end(next.wake_at),
        now.as_millisecond(),
        job.ended,
    ])?;
    if next.keeps_lease { Ok(()) } else { release(transaction, lease) }
}

/// Ends a job. What going on would need is of no use any more.
fn finish(
    transaction: &Transaction<'_>,
    lease: &Lease,
    state: JobState,
    now: Timestamp,
) -> Result<(), Problem> {
    transaction.execute("DELETE FROM export_parts WHERE job = ?1", [&lease.id.0])?;
    transaction.execute(
        "UPDATE export_jobs SET state = ?2, finished_at = ?3, wake_at = NULL, upload_id = NULL, \
             checkpoint = NULL, hash = NULL \
         WHERE id = ?1",
        params![lease.id.0, state.as_str(), now.as_millisecond()],
    )?;
    release(transaction, lease)
}
