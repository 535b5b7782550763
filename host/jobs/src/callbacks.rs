//! Callbacks: URLs that are notified of how an export ended, and their delivery.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};

use crate::columns::{paths, time};
use crate::job_store::{JobStore, TransactionError};
use crate::record::{JobId, JobRecord};
use crate::state_error::StateError;

/// A callback as it is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where it goes.
    pub url: String,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent next, once the job is finished; none: never again.
    pub next_at: Option<Timestamp>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// Why it did not arrive when it was last sent.
    pub last_error: Option<String>,
}

/// A callback that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCallback {
    /// The finished job that it is about.
    pub id: JobId,
    /// Where it goes.
    pub url: String,
    /// When it was due. A claim changes that, so that only one process sends it.
    pub next_at: Timestamp,
}

impl JobStore {
    /// The due callbacks for exports of these databases to a store, longest overdue first, and when
    /// the next one after them is due.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn due_callbacks(
        &self,
        store: &str,
        databases: &[&Path],
        now: Timestamp,
    ) -> Result<(Vec<DueCallback>, Option<Timestamp>), StateError> {
        let databases = paths(databases)?;
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT job, url, next_at FROM export_callbacks \
                 JOIN export_jobs ON id = job AND finished_at IS NOT NULL \
                     AND store = ?1 AND database IN (SELECT value FROM json_each(?2)) \
                 WHERE next_at IS NOT NULL ORDER BY next_at",
            )?;
            let mut due = Vec::new();
            let mut rows = statement.query([store, &databases])?;
            while let Some(row) = rows.next()? {
                let Some(next_at) = time(row, "next_at")? else { continue };
                if next_at > now {
                    return Ok((due, Some(next_at)));
                }
                due.push(DueCallback { id: JobId(row.get("job")?), url: row.get("url")?, next_at });
            }
            Ok((due, None))
        })
    }

    /// Claims a callback for sending, and counts the attempt; until `until`, no other process sends
    /// it. Returns its job; none if another process was faster, or the job has been forgotten.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn claim_callback(
        &self,
        due: &DueCallback,
        until: Timestamp,
    ) -> Result<Option<(JobRecord, Callback)>, StateError> {
        self.write(|transaction| {
            let claimed = transaction.execute(
                "UPDATE export_callbacks SET attempts = attempts + 1, next_at = ?3 \
                 WHERE job = ?1 AND next_at = ?2 \
                     AND (SELECT finished_at FROM export_jobs WHERE id = ?1) IS NOT NULL",
                params![due.id.0, due.next_at.as_millisecond(), until.as_millisecond()],
            )?;
            if claimed == 0 {
                return Ok(None);
            }
            let record = self.records(transaction, "WHERE id = ?1", [&due.id.0])?.pop();
            let callback = transaction.query_row(
                "SELECT * FROM export_callbacks WHERE job = ?1",
                [&due.id.0],
                callback,
            )?;
            Ok(record.map(|record| (record, callback)))
        })
    }

    /// Saves that a callback has arrived.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn save_callback_delivered(&self, id: &JobId, now: Timestamp) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE export_callbacks SET delivered_at = ?2, next_at = NULL, last_error = NULL WHERE job = ?1",
                params![id.0, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Saves that a callback has not arrived, and when it is sent again; none: never.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn save_callback_failed(
        &self,
        id: &JobId,
        error: &str,
        next_at: Option<Timestamp>,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE export_callbacks SET last_error = ?2, next_at = ?3 \
                 WHERE job = ?1 AND delivered_at IS NULL",
                params![id.0, error, next_at.map(Timestamp::as_millisecond)],
            )?;
            Ok(())
        })
    }

    /// How many callbacks about finished exports to a store are still to be sent, by the databases' paths.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn count_waiting_callbacks(
        &self,
        store: &str,
    ) -> Result<HashMap<PathBuf, u64>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT database, count(*) FROM export_callbacks \
                 JOIN export_jobs ON id = job AND finished_at IS NOT NULL AND store = ?1 \
                 WHERE next_at IS NOT NULL GROUP BY database",
            )?;
            let rows = statement
                .query_map([store], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The callbacks of all jobs.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn callbacks(&self) -> Result<HashMap<JobId, Callback>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM export_callbacks")?;
            let rows =
                statement.query_map([], |row| Ok((JobId(row.get("job")?), callback(row)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The callback of a job, if it has one.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn callback(&self, id: &JobId) -> Result<Option<Callback>, StateError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM export_callbacks WHERE job = ?1")?;
            let mut rows = statement.query_map([&id.0], callback)?;
            Ok(rows.next().transpose()?)
        })
    }
}

/// Saves where a new job's callback goes.
pub(crate) fn insert_callback(
    transaction: &Transaction<'_>,
    id: &JobId,
    url: &str,
    now: Timestamp,
) -> Result<(), TransactionError> {
    transaction.execute(
        "INSERT INTO export_callbacks (job, url, next_at) VALUES (?1, ?2, ?3)",
        params![id.0, url, now.as_millisecond()],
    )?;
    Ok(())
}

fn callback(row: &Row<'_>) -> rusqlite::Result<Callback> {
    Ok(Callback {
        url: row.get("url")?,
        attempts: row.get("attempts")?,
        next_at: time(row, "next_at")?,
        delivered_at: time(row, "delivered_at")?,
        last_error: row.get("last_error")?,
    })
}
