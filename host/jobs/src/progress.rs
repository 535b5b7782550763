//! Saving a job's progress under its lease: never more than is safe in the store. Every save
//! returns the job as saved.

use jiff::Timestamp;
use partway_manifest::{ManifestPart, ManifestTable};
use rusqlite::{Connection, Row, Transaction, params};

use crate::columns::{from_json, json};
use crate::history::remember;
use crate::job::Job;
use crate::job_store::{JobStore, TransactionError};
use crate::lease::{Lease, lease_end, release};
use crate::manifest::{Listing, ListingLengths};
use crate::object_set::{Completed, ObjectSet, Place};
use crate::options::options;
use crate::record::{JobId, JobRecord, JobState};
use crate::saved_objects::{
    CurrentObject, SavedObjects, forget_objects, load_objects, save_completed, save_object,
    save_set,
};
use crate::slice_output::EncodedObject;
use crate::state_error::StateError;
use crate::totals::Totals;
use crate::transitions::{after_clean_up, after_slice};
use partway_sqlite::Expected;
use partway_store::{HashState, PartId, UploadId};

/// What follows a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextStep {
    pub(crate) wake_at: Timestamp,
    /// Whether this process means to do the next step itself.
    pub(crate) keeps_lease: bool,
}

impl JobStore {
    /// What resuming a job needs: the object that it is at, and the others if it makes several.
    pub(crate) fn load(
        &self,
        record: &JobRecord,
    ) -> Result<(Option<Job>, Option<ObjectSet>), StateError> {
        let (Some(object), Some(part_size)) = (&record.object, record.part_size) else {
            return Ok((None, None));
        };
        self.read(|connection| {
            let Some(SavedObjects { set, current }) = load_objects(connection, record)? else {
                let job = load_job(connection, record, object, part_size, Place::default())?;
                return Ok((job, None));
            };
            let query = "SELECT object_totals, ended FROM export_jobs WHERE id = ?1";
            let (totals, ended) = connection.query_row(query, [&record.id.0], |row| {
                Ok((from_json::<Totals>(row, "object_totals")?, row.get("ended")?))
            })?;
            let place = set.place(
                set.ended.len() + 1,
                record.totals.clone().minus(&totals.unwrap_or_default()),
            );
            let job = match current {
                CurrentObject::Ended(job) => Some(Job { place, ended, ..*job }),
                CurrentObject::Running { name } => {
                    load_job(connection, record, &name, part_size, place)?
                }
            };
            Ok((job, Some(set)))
        })
    }
    pub(crate) fn save_begun(
        &self,
        lease: &Lease,
        job: &Job,
        set: Option<&ObjectSet>,
        expected: Expected,
        next: NextStep,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        let fingerprint = job.fingerprint.as_ref().map(json).transpose()?;
        self.save(lease, |transaction| {
            forget_parts(transaction, lease)?;
            if let Some(set) = set {
                save_set(transaction, &lease.id, set)?;
            }
            transaction.execute(
                "UPDATE export_jobs SET upload_id = ?2, part_size = ?3, component = ?4, \
                     fingerprint = ?5, expected = ?6, starts = starts + 1 \
                 WHERE id = ?1",
                params![
                    lease.id.0,
                    job.upload.id,
                    job.part_size(),
                    job.component,
                    fingerprint,
                    json(&expected)?
                ],
            )?;
            save_progress(transaction, lease, job, next, now)
        })
    }

    /// Saves that the upload of a job's next object has begun.
    pub(crate) fn save_next(
        &self,
        lease: &Lease,
        job: &Job,
        next: NextStep,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            forget_parts(transaction, lease)?;
            let set_upload = "UPDATE export_jobs SET upload_id = ?2 WHERE id = ?1";
            transaction.execute(set_upload, params![lease.id.0, job.upload.id])?;
            save_progress(transaction, lease, job, next, now)
        })
    }

    /// Saves a slice: the checkpoint, and what is new in the job's lists of parts, which are all safe in the store, and of
    /// tables.
    pub(crate) fn save_slice(
        &self,
        lease: &Lease,
        job: &Job,
        before: ListingLengths,
        next: NextStep,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            save_parts(transaction, lease, job, before)?;
            save_progress(transaction, lease, job, next, now)
        })
    }

    /// Saves that a step has failed and is to be tried again; the lease lasts until then, and longer.
    pub(crate) fn save_retry(
        &self,
        lease: &Lease,
        error: &str,
        attempts: u32,
        wake_at: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET last_error = ?2, attempts = ?3, wake_at = ?4, lease_until = ?5 \
                 WHERE id = ?1",
                params![lease.id.0, error, attempts, wake_at.as_millisecond(), lease_end(wake_at)],
            )?;
            Ok(())
        })
    }

    /// Saves that the job starts over. Its upload remains known, to be deleted.
    pub(crate) fn save_start_over(
        &self,
        lease: &Lease,
        reason: &str,
        skips_damaged: bool,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            forget_parts(transaction, lease)?;
            transaction.execute(
                "UPDATE export_jobs SET state = 'waiting', checkpoint = '', hash = NULL, encoded = NULL, ended = 0, \
                     fingerprint = NULL, totals = NULL, object_totals = NULL, last_error = ?2, skips_damaged = ?3, wake_at = ?4 \
                 WHERE id = ?1",
                params![lease.id.0, reason, skips_damaged, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Saves that the job is failing or being cancelled; the data in the store is to be deleted
    /// next.
    pub(crate) fn save_ending(
        &self,
        lease: &Lease,
        state: JobState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET state = ?2, last_error = ?3, attempts = 0, \
                     wake_at = ?4 \
                 WHERE id = ?1",
                params![lease.id.0, state.as_str(), reason, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Saves that what is found under the object's name is not this job's, in the job as well.
    pub(crate) fn save_not_complete(&self, lease: &Lease, job: &mut Job) -> Result<(), StateError> {
        self.under(lease, |transaction| {
            transaction.execute("UPDATE export_jobs SET ended = 0 WHERE id = ?1", [&lease.id.0])?;
            Ok(())
        })?;
        job.ended = false;
        Ok(())
    }

    /// Saves that a job that was failing has failed, or that one that was being cancelled is.
    pub(crate) fn save_ended(
        &self,
        lease: &Lease,
        ending: JobState,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            transaction.execute(
                "UPDATE export_jobs SET last_error = coalesce(?2, last_error) WHERE id = ?1",
                params![lease.id.0, reason],
            )?;
            finish(transaction, lease, after_clean_up(ending), now)
        })
    }

    /// Saves that the object is there, and with it all `objects` of a job that makes several.
    pub(crate) fn save_done(
        &self,
        lease: &Lease,
        Completed { finished, objects }: &Completed,
        now: Timestamp,
    ) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| {
            // First, so that the object's name may be one that an unfinished job has taken: it came out under the next.
            finish(transaction, lease, JobState::Done, now)?;
            save_completed(transaction, &lease.id, objects)?;
            transaction.execute(
                "UPDATE export_jobs SET object = ?2, location = ?3, sha256 = ?4, last_error = NULL, moved_at = ?5, \
                     object_version = ?6 \
                 WHERE id = ?1",
                params![
                    lease.id.0,
                    finished.name,
                    finished.location,
                    finished.sha256,
                    now.as_millisecond(),
                    finished.version
                ],
            )?;
            Ok(())
        })
    }

    /// Gives the job back; when it is due stays as it is.
    pub(crate) fn release(&self, lease: &Lease) -> Result<JobRecord, StateError> {
        self.save(lease, |transaction| release(transaction, lease))
    }

    /// Changes a job in one transaction, if the lease still holds, and gives it as it is saved then.
    fn save(
        &self,
        lease: &Lease,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), TransactionError>,
    ) -> Result<JobRecord, StateError> {
        self.under(lease, |transaction| {
            change(transaction)?;
            let record = self.records(transaction, "WHERE id = ?1", [&lease.id.0])?.pop();
            record.ok_or_else(|| StateError::UnknownJob(lease.id.0.clone()).into())
        })
    }
}

/// The object that a job is at.
fn load_job(
    connection: &Connection,
    record: &JobRecord,
    object: &str,
    part_size: u32,
    place: Place,
) -> rusqlite::Result<Option<Job>> {
    let (part_ids, listing) = load_parts(connection, &record.id)?;
    let mut statement = connection.prepare_cached("SELECT * FROM export_jobs WHERE id = ?1")?;
    statement.query_row([&record.id.0], |row| {
        let Some(id) = row.get("upload_id")? else { return Ok(None) };
        let encoded: Option<EncodedObject> = from_json(row, "encoded")?;
        let block_size = encoded.as_ref().map(|encoded| encoded.stream.block_size());
        let totals = from_json(row, "object_totals")?.unwrap_or_else(|| record.totals.clone());
        Ok(Some(Job {
            options: options(record, place.table.as_deref(), block_size.unwrap_or(part_size)),
            fingerprint: from_json(row, "fingerprint")?,
            component: row.get("component")?,
            totals,
            upload: UploadId { name: object.to_owned(), id },
            checkpoint: row.get("checkpoint")?,
            part_ids,
            hash: from_json(row, "hash")?.unwrap_or_default(),
            ended: row.get("ended")?,
            encoded,
            place,
            listing,
        }))
    })
}

fn load_parts(connection: &Connection, id: &JobId) -> rusqlite::Result<(Vec<PartId>, Listing)> {
    let mut part_ids = Vec::new();
    let mut listing = Listing::default();
    let query = "SELECT part_id, bytes, xxh64 FROM export_parts WHERE job = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([&id.0])?;
    while let Some(row) = rows.next()? {
        part_ids.push(row.get(0)?);
        listing.parts.push(ManifestPart { bytes: row.get(1)?, xxh64: hash(row, 2)? });
    }
    let query =
        "SELECT name, rows, offset, bytes, xxh64 FROM export_tables WHERE job = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([&id.0])?;
    while let Some(row) = rows.next()? {
        listing.tables.push(ManifestTable {
            name: row.get(0)?,
            rows: row.get(1)?,
            offset: row.get(2)?,
            bytes: row.get(3)?,
            xxh64: hash(row, 4)?,
        });
    }
    Ok((part_ids, listing))
}

/// A hash is saved as the signed number of the same bits.
fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// Saves what a job lists beyond what it did before.
fn save_parts(
    transaction: &Transaction<'_>,
    lease: &Lease,
    job: &Job,
    before: ListingLengths,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO export_parts (job, number, part_id, bytes, xxh64) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let parts = job.part_ids.iter().zip(&job.listing.parts);
    for (number, (part_id, part)) in parts.enumerate().skip(before.parts) {
        let xxh64 = part.xxh64.cast_signed();
        insert.execute(params![lease.id.0, number as i64 + 1, part_id, part.bytes, xxh64])?;
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO export_tables (job, number, name, rows, offset, bytes, xxh64) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (number, table) in job.listing.tables.iter().enumerate().skip(before.tables) {
        let ManifestTable { name, rows, offset, bytes, xxh64 } = table;
        let xxh64 = xxh64.cast_signed();
        insert.execute(params![lease.id.0, number as i64 + 1, name, rows, offset, bytes, xxh64])?;
    }
    Ok(())
}

fn forget_parts(transaction: &Transaction<'_>, lease: &Lease) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM export_parts WHERE job = ?1", [&lease.id.0])?;
    transaction.execute("DELETE FROM export_tables WHERE job = ?1", [&lease.id.0])?;
    Ok(())
}

fn save_progress(
    transaction: &Transaction<'_>,
    lease: &Lease,
    job: &Job,
    next: NextStep,
    now: Timestamp,
) -> Result<(), TransactionError> {
    let mut update = transaction.prepare_cached(
        "UPDATE export_jobs SET state = ?2, checkpoint = ?3, hash = ?4, totals = ?5, attempts = 0, \
             last_error = NULL, wake_at = ?6, lease_until = ?7, moved_at = ?8, ended = ?9, \
             encoded = ?10, object_totals = ?11 \
         WHERE id = ?1",
    )?;
    save_object(transaction, &lease.id, job)?;
    let encoded = job.encoded.as_ref().map(json).transpose()?;
    let object_totals = job.place.table.as_ref().map(|_| json(&job.totals)).transpose()?;
    update.execute(params![
        lease.id.0,
        after_slice(job.is_last_ended()).as_str(),
        job.checkpoint,
        json::<HashState>(&job.hash)?,
        json(&job.totals_so_far())?,
        next.wake_at.as_millisecond(),
        lease_end(next.wake_at),
        now.as_millisecond(),
        job.ended,
        encoded,
        object_totals,
    ])?;
    if next.keeps_lease { Ok(()) } else { release(transaction, lease) }
}

/// Ends a job. What resuming it would need is of no use any more.
fn finish(
    transaction: &Transaction<'_>,
    lease: &Lease,
    state: JobState,
    now: Timestamp,
) -> Result<(), TransactionError> {
    forget_parts(transaction, lease)?;
    forget_objects(transaction, &lease.id)?;
    transaction.execute(
        "UPDATE export_jobs SET state = ?2, finished_at = ?3, wake_at = NULL, upload_id = NULL, \
             checkpoint = NULL, hash = NULL, encoded = NULL, object_totals = NULL \
         WHERE id = ?1",
        params![lease.id.0, state.as_str(), now.as_millisecond()],
    )?;
    remember(transaction, &lease.id)?;
    release(transaction, lease)
}
