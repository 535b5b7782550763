//! The job store: jobs in a SQLite file, which any number of processes may use at the same time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use partway_sqlite::Expected;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::columns::{from_json, json, odd, paths, time};
#[cfg(feature = "simulation")]
use crate::commit_hook::{CommitHook, CommitMoment};
use crate::owner::is_alive;
use crate::record::{Holder, JobId, JobRecord, JobState};
use crate::request::ExportRequest;
use crate::schema;
use crate::state_error::StateError;

/// The file's name in the state folder.
const FILE: &str = "jobs.db";

/// The jobs kept in a folder.
///
/// Every change is one transaction, safe on disk when the call returns. Clones share a connection.
#[derive(Clone)]
pub struct JobStore(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    file: PathBuf,
    connection: Mutex<Connection>,
    /// Reads do not wait for a write, not even for one of another process.
    reader: Mutex<Connection>,
    #[cfg(feature = "simulation")]
    commit_hook: Option<CommitHook>,
}

/// A job whose next step is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueJob {
    /// Its name.
    pub id: JobId,
    /// Whether it has not begun yet.
    pub is_new: bool,
}

impl fmt::Debug for JobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStore").field("file", &self.0.file).finish_non_exhaustive()
    }
}

impl JobStore {
    /// Opens the jobs of a folder, which is created if it does not exist, for its owner alone.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file. A file that can't be used is not changed.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        Ok(Self(Arc::new(Inner::open(folder)?)))
    }

    /// Whether jobs are kept in a folder, so that [`JobStore::open`] creates nothing.
    pub fn is_in(folder: &Path) -> bool {
        // Where that can't be found out, opening says why.
        folder.join(FILE).try_exists().unwrap_or(true)
    }

    /// Like [`JobStore::open`], with a hook around each commit.
    #[cfg(feature = "simulation")]
    pub(crate) fn open_with_hook(folder: &Path, hook: CommitHook) -> Result<Self, StateError> {
        let inner = Inner::open(folder)?;
        Ok(Self(Arc::new(Inner { commit_hook: Some(hook), ..inner })))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The path of the copy of the database that a job reads, if it reads one.
    pub fn copy_path(&self, id: &JobId) -> PathBuf {
        self.0.folder.join(format!("copy-{id}.db"))
    }

    /// Checks that jobs can be read and written right now: their file is where it was, and takes a transaction.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn check(&self) -> Result<(), StateError> {
        // A file that is deleted stays usable as long as it is open, and then all that was saved is lost.
        if let Err(error) = std::fs::metadata(&self.0.file) {
            let reason = error.to_string();
            return Err(StateError::Failed { path: self.0.file.clone(), reason });
        }
        self.write(|_| Ok(()))
    }

    /// All jobs, newest first.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn list(&self) -> Result<Vec<JobRecord>, StateError> {
        self.read(|connection| self.records(connection, "ORDER BY created_at DESC, rowid DESC", []))
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// [`StateError::UnknownJob`].
    pub fn get(&self, id: &JobId) -> Result<JobRecord, StateError> {
        let mut records =
            self.read(|connection| self.records(connection, "WHERE id = ?1", [&id.0]))?;
        records.pop().ok_or_else(|| StateError::UnknownJob(id.0.clone()))
    }

    /// The newest jobs that export one of these databases to a store, up to a limit.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn newest(
        &self,
        store: &str,
        databases: &[&Path],
        most: usize,
    ) -> Result<Vec<JobRecord>, StateError> {
        let databases = paths(databases)?;
        self.read(|connection| {
            let clause = "WHERE store = ?1 AND database IN (SELECT value FROM json_each(?2)) \
                         ORDER BY created_at DESC, rowid DESC LIMIT ?3";
            self.records(connection, clause, params![store, databases, most as i64])
        })
    }

    /// Whether the name of a done job's object now belongs to the object of a later job.
    pub(crate) fn is_superseded(&self, id: &JobId) -> Result<bool, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM export_jobs AS later JOIN export_jobs AS this ON this.id = ?1 \
                 WHERE later.store = this.store AND later.object = this.object \
                     AND later.finished_at >= this.finished_at AND later.state = 'done' \
                     AND later.rowid > this.rowid)",
            )?;
            Ok(statement.query_row([&id.0], |row| row.get(0))?)
        })
    }

    /// The job whose id begins like this.
    ///
    /// # Errors
    ///
    /// [`StateError::UnknownJob`] and [`StateError::AmbiguousJob`].
    pub fn find(&self, beginning: &str) -> Result<JobRecord, StateError> {
        let mut records = self.read(|connection| {
            self.records(connection, "WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", [beginning])
        })?;
        match (records.pop(), records.is_empty() && !beginning.is_empty()) {
            (Some(record), true) => Ok(record),
            (Some(_), false) => Err(StateError::AmbiguousJob(beginning.to_owned())),
            (None, _) => Err(StateError::UnknownJob(beginning.to_owned())),
        }
    }

    /// The jobs whose next step is due, longest overdue first, and when the next one after them is
    /// due.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn due(&self, now: Timestamp) -> Result<(Vec<DueJob>, Option<Timestamp>), StateError> {
        self.read(|connection| {
            let mut due = Vec::new();
            let mut statement = connection.prepare_cached(
                "SELECT id, wake_at, state = 'waiting' AND NOT cancel_requested AS is_new FROM export_jobs \
                 WHERE wake_at IS NOT NULL ORDER BY wake_at",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let wake_at = time(row, "wake_at")?;
                if wake_at.is_some_and(|at| at > now) {
                    return Ok((due, wake_at));
                }
                due.push(DueJob { id: JobId(row.get("id")?), is_new: row.get("is_new")? });
            }
            Ok((due, None))
        })
    }

    /// Forgets a finished job; false if it is not finished, or its callback is still to be sent.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn remove(&self, id: &JobId) -> Result<bool, StateError> {
        self.write(|transaction| {
            let removed = transaction.execute(
                "DELETE FROM export_jobs WHERE id = ?1 AND finished_at IS NOT NULL \
                     AND NOT EXISTS (SELECT 1 FROM export_callbacks WHERE job = ?1 AND next_at IS NOT NULL)",
                [&id.0],
            )?;
            Ok(removed > 0)
        })
    }

    /// The names that unfinished jobs have taken in a store.
    pub(crate) fn taken_names(&self, store: &str, but: &JobId) -> Result<Vec<String>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT object FROM export_jobs \
                 WHERE store = ?1 AND id <> ?2 AND finished_at IS NULL AND object IS NOT NULL \
                 UNION ALL SELECT o.name FROM export_objects AS o JOIN export_jobs ON id = o.job \
                 WHERE store = ?1 AND id <> ?2 AND finished_at IS NULL AND o.name IS NOT NULL",
            )?;
            let names = statement.query_map(params![store, but.0], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// The ids of uploads that unfinished jobs have begun.
    pub(crate) fn owned_uploads(&self) -> Result<Vec<String>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT upload_id FROM export_jobs WHERE finished_at IS NULL AND upload_id IS NOT NULL \
                 UNION ALL SELECT ended ->> '$.upload.id' FROM export_objects WHERE ended IS NOT NULL",
            )?;
            let ids = statement.query_map([], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// 16 random hexadecimal digits.
    pub(crate) fn random_word(&self) -> Result<String, StateError> {
        self.read(|connection| {
            Ok(connection.query_row("SELECT lower(hex(randomblob(8)))", [], |row| row.get(0))?)
        })
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, TransactionError>,
    ) -> Result<T, StateError> {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        work(&reader).map_err(|problem| self.error(problem))
    }

    /// Changes something, in one transaction.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, TransactionError>,
    ) -> Result<T, StateError> {
        let mut connection = self.connection();
        let run = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            self.commit(transaction)?;
            Ok(answer)
        };
        run().map_err(|problem| self.error(problem))
    }

    fn commit(&self, transaction: Transaction<'_>) -> Result<(), TransactionError> {
        #[cfg(feature = "simulation")]
        self.simulate(CommitMoment::Before)?;
        transaction.commit()?;
        #[cfg(feature = "simulation")]
        self.simulate(CommitMoment::After)?;
        Ok(())
    }

    #[cfg(feature = "simulation")]
    fn simulate(&self, moment: CommitMoment) -> Result<(), TransactionError> {
        match &self.0.commit_hook {
            Some(hook) if !hook(moment) => {
                let reason = format!("simulated failure: {moment:?}");
                Err(StateError::Failed { path: self.0.file.clone(), reason }.into())
            }
            _ => Ok(()),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic has ended was rolled back.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, problem: TransactionError) -> StateError {
        match problem {
            TransactionError::Sqlite(error) => StateError::from_sqlite(&self.0.file, &error),
            TransactionError::State(error) => error,
        }
    }

    /// The jobs that a clause of SQL chooses.
    pub(crate) fn records(
        &self,
        connection: &Connection,
        clause: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<JobRecord>, TransactionError> {
        let mut statement =
            connection.prepare_cached(&format!("SELECT * FROM export_jobs {clause}"))?;
        let records = statement.query_map(parameters, |row| self.record(row))?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    fn record(&self, row: &Row<'_>) -> rusqlite::Result<JobRecord> {
        let state: String = row.get("state")?;
        let owner: Option<String> = row.get("lease_owner")?;
        let holder = match (owner, time(row, "lease_until")?) {
            (Some(owner), Some(until)) => {
                Some(Holder { is_alive: is_alive(&self.0.folder, &owner), owner, until })
            }
            _ => None,
        };
        Ok(JobRecord {
            id: JobId(row.get("id")?),
            state: JobState::from_word(&state).ok_or_else(|| odd("state", state))?,
            request: from_json(row, "options")?.ok_or_else(|| odd("options", String::new()))?,
            store: row.get("store")?,
            object: row.get("object")?,
            part_size: row.get("part_size")?,
            skips_damaged: row.get("skips_damaged")?,
            totals: from_json(row, "totals")?.unwrap_or_default(),
            expected: from_json::<Expected>(row, "expected")?.unwrap_or_default(),
            starts: row.get("starts")?,
            attempts: row.get("attempts")?,
            wake_at: time(row, "wake_at")?,
            holder,
            cancel_requested: row.get("cancel_requested")?,
            created_at: time(row, "created_at")?.unwrap_or_default(),
            moved_at: time(row, "moved_at")?.unwrap_or_default(),
            finished_at: time(row, "finished_at")?,
            last_error: row.get("last_error")?,
            location: row.get("location")?,
            sha256: row.get("sha256")?,
            object_version: row.get("object_version")?,
            schedule: row.get("schedule")?,
            pruned_at: time(row, "pruned_at")?,
        })
    }
}

impl Inner {
    fn open(folder: &Path) -> Result<Self, StateError> {
        schema::create_folder(folder)?;
        let file = folder.join(FILE);
        let connection = Mutex::new(schema::open(&file)?);
        let reader = Mutex::new(schema::open_reader(&file)?);
        let folder = folder.to_owned();
        Ok(Inner {
            folder,
            file,
            connection,
            reader,
            #[cfg(feature = "simulation")]
            commit_hook: None,
        })
    }
}

/// Makes a new job, due at once.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    request: &ExportRequest,
    key: Option<&str>,
    now: Timestamp,
) -> Result<JobId, TransactionError> {
    let id: String = transaction.query_row(
        "INSERT INTO export_jobs \
             (id, state, database, store, name, options, request_key, wake_at, created_at, moved_at) \
         VALUES (lower(hex(randomblob(8))), 'waiting', ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6) RETURNING id",
        params![
            request.database.display().to_string(),
            request.store.identity(),
            request.name.as_deref().unwrap_or_default(),
            json(request)?,
            key,
            now.as_millisecond()
        ],
        |row| row.get(0),
    )?;
    Ok(JobId(id))
}

/// What a transaction may fail with.
pub(crate) enum TransactionError {
    Sqlite(rusqlite::Error),
    State(StateError),
}

impl From<rusqlite::Error> for TransactionError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StateError> for TransactionError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// A single row, or none.
pub(crate) fn optional<T>(row: rusqlite::Result<T>) -> Result<Option<T>, TransactionError> {
    Ok(row.optional()?)
}
