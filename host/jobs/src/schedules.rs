//! Schedules: when the next export of a database is due, saved between runs of the process that
//! starts it.

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::columns::{from_json, json, time};
use crate::job_store::{JobStore, insert};
use crate::record::{JobId, JobRecord};
use crate::request::ExportRequest;
use crate::state_error::StateError;
use partway_sqlite::Fingerprint;

/// What tells schedules apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleKey {
    /// The database's path.
    pub database: PathBuf,
    /// The store's identity.
    pub store: String,
    /// The options of its exports, in any words that stay the same; empty: those of the whole database by default.
    pub options: String,
}

/// When the next export of a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// The rule that determines the time, as given.
    pub rule: String,
    /// When it is due.
    pub next_at: Timestamp,
    /// When it last started an export, or found that none was needed.
    pub last_at: Option<Timestamp>,
    /// The last export.
    pub last_job: Option<JobId>,
    /// The state of the database just before it.
    pub fingerprint: Option<Fingerprint>,
}

impl JobStore {
    /// The entry of a schedule.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn schedule_entry(&self, key: &ScheduleKey) -> Result<Option<ScheduleEntry>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM export_schedules WHERE database = ?1 AND store = ?2 AND options = ?3",
            )?;
            let key = (key.database.display().to_string(), &key.store, &key.options);
            let mut rows = statement.query_map(key, entry)?;
            Ok(rows.next().transpose()?)
        })
    }

    /// The entries of all schedules to a store.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn schedule_entries(
        &self,
        store: &str,
    ) -> Result<HashMap<ScheduleKey, ScheduleEntry>, StateError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM export_schedules WHERE store = ?1")?;
            let rows = statement.query_map([store], |row| {
                let key = ScheduleKey {
                    database: row.get::<_, String>("database")?.into(),
                    store: row.get("store")?,
                    options: row.get("options")?,
                };
                Ok((key, entry(row)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Creates or moves the entry.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn set_schedule_entry(
        &self,
        key: &ScheduleKey,
        rule: &str,
        next_at: Timestamp,
    ) -> Result<(), StateError> {
        let ScheduleKey { database, store, options } = key;
        let database = database.display().to_string();
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO export_schedules (database, store, options, rule, next_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO UPDATE SET rule = excluded.rule, next_at = excluded.next_at",
                params![database, store, options, rule, next_at.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Moves a due entry to its next time, because no export is needed. `is_good`: the last one is complete, of all tables,
    /// and the database has not changed since.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn save_skipped(
        &self,
        key: &ScheduleKey,
        is_good: bool,
        next_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let ScheduleKey { database, store, options } = key;
        let database = database.display().to_string();
        let now = now.as_millisecond();
        self.write(|transaction| {
            transaction.execute(
                "UPDATE export_schedules SET next_at = ?4, last_at = ?5 \
                 WHERE database = ?1 AND store = ?2 AND options = ?3",
                params![database, store, options, next_at.as_millisecond(), now],
            )?;
            if is_good {
                transaction.execute(
                    "UPDATE export_last_good SET good_at = max(good_at, ?3) WHERE database = ?1 AND store = ?2",
                    params![database, store, now],
                )?;
            }
            Ok(())
        })
    }

    /// Creates the job of a due entry, of a schedule with these options, and moves the entry to its next time. None if
    /// another process was faster.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn queue_scheduled(
        &self,
        request: &ExportRequest,
        options: &str,
        due: &ScheduleEntry,
        fingerprint: Option<&Fingerprint>,
        next_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<JobId>, StateError> {
        let database = request.database.display().to_string();
        let store = request.store.identity();
        let fingerprint = fingerprint.map(json).transpose()?;
        self.write(|transaction| {
            let moved = transaction.execute(
                "UPDATE export_schedules SET next_at = ?5, fingerprint = ?6, last_at = ?7 \
                 WHERE database = ?1 AND store = ?2 AND options = ?3 AND next_at = ?4",
                params![
                    database,
                    store,
                    options,
                    due.next_at.as_millisecond(),
                    next_at.as_millisecond(),
                    fingerprint,
                    now.as_millisecond()
                ],
            )?;
            if moved == 0 {
                return Ok(None);
            }
            let id = insert(transaction, request, None, now)?;
            transaction.execute(
                "UPDATE export_jobs SET schedule = ?2 WHERE id = ?1",
                params![id.0, options],
            )?;
            transaction.execute(
                "UPDATE export_schedules SET last_job = ?4 \
                 WHERE database = ?1 AND store = ?2 AND options = ?3",
                params![database, store, options, id.0],
            )?;
            Ok(Some(id))
        })
    }

    /// The jobs to a store that schedules have created and whose objects are kept, newest first.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn made_by_schedule(&self, store: &str) -> Result<Vec<JobRecord>, StateError> {
        self.read(|connection| {
            let clause = "WHERE store = ?1 AND schedule IS NOT NULL AND state = 'done' AND pruned_at IS NULL \
                         ORDER BY created_at DESC, rowid DESC";
            self.records(connection, clause, [store])
        })
    }

    /// Saves that a job's object has been deleted.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn save_pruned(&self, id: &JobId, now: Timestamp) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE export_jobs SET pruned_at = ?2 WHERE id = ?1 AND pruned_at IS NULL",
                params![id.0, now.as_millisecond()],
            )?;
            Ok(())
        })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ScheduleEntry> {
    Ok(ScheduleEntry {
        rule: row.get("rule")?,
        next_at: time(row, "next_at")?.unwrap_or_default(),
        last_at: time(row, "last_at")?,
        last_job: row.get::<_, Option<String>>("last_job")?.map(JobId),
        fingerprint: from_json(row, "fingerprint")?,
    })
}
