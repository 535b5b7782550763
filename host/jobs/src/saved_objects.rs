//! Saving the objects of a job that makes one of each table.

use rusqlite::{Connection, Row, Transaction, params};

use crate::columns::{from_json, json};
use crate::job::Job;
use crate::job_store::{JobStore, TransactionError};
use crate::object_set::{JobObject, ObjectSet, Place};
use crate::record::{JobId, JobRecord};
use crate::state_error::StateError;

/// What is saved of a job's objects.
pub(crate) struct SavedObjects {
    pub(crate) set: ObjectSet,
    /// The object that the job is at: what it is called, or all of it, once its slices are done.
    pub(crate) current: CurrentObject,
}

/// The object that a job is at.
pub(crate) enum CurrentObject {
    Running { name: String },
    Ended(Box<Job>),
}

impl JobStore {
    /// The objects of a job that is done: of one that has made one of each table, all of them, in the order of the tables,
    /// and their manifest last.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn objects(&self, record: &JobRecord) -> Result<Vec<JobObject>, StateError> {
        if !record.request.each_table {
            return Ok(vec![JobObject {
                table: None,
                name: record.object.clone().unwrap_or_default(),
                bytes: record.totals.bytes,
                rows: record.totals.rows,
                sha256: record.sha256.clone().unwrap_or_default(),
                version: record.object_version.clone(),
            }]);
        }
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM export_objects WHERE job = ?1 AND sha256 IS NOT NULL ORDER BY number",
            )?;
            let objects = statement.query_map([&record.id.0], |row| {
                Ok(JobObject {
                    table: row.get("table_name")?,
                    name: row.get("name")?,
                    bytes: row.get("bytes")?,
                    rows: row.get("rows")?,
                    sha256: row.get("sha256")?,
                    version: row.get("version")?,
                })
            })?;
            Ok(objects.collect::<Result<_, _>>()?)
        })
    }
}

/// The objects of a job that is not finished. None: it makes only one, or none has begun.
pub(crate) fn load_objects(
    connection: &Connection,
    record: &JobRecord,
) -> rusqlite::Result<Option<SavedObjects>> {
    if !record.request.each_table {
        return Ok(None);
    }
    let mut statement =
        connection.prepare_cached("SELECT * FROM export_objects WHERE job = ?1 ORDER BY number")?;
    let mut rows = statement.query([&record.id.0])?;
    let (mut set, mut running) = (ObjectSet::default(), None);
    while let Some(row) = rows.next()? {
        let table: String = row.get("table_name")?;
        set.tables.push(table.clone());
        match (row.get("name")?, ended(row)?) {
            (_, Some(job)) => {
                let place = Place { table: Some(table), ..Place::default() };
                set.ended.push(Job { place, ..job });
            }
            (Some(name), None) => running = Some(name),
            (None, None) => {}
        }
    }
    let current = match running {
        Some(name) => Some(CurrentObject::Running { name }),
        None => set.ended.pop().map(|job| CurrentObject::Ended(Box::new(job))),
    };
    Ok(current.map(|current| SavedObjects { set, current }))
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Option<Job>> {
    from_json(row, "ended")
}

/// Saves which objects a job will make, in place of all that were saved.
pub(crate) fn save_set(
    transaction: &Transaction<'_>,
    id: &JobId,
    set: &ObjectSet,
) -> rusqlite::Result<()> {
    forget_objects(transaction, id)?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO export_objects (job, number, table_name) VALUES (?1, ?2, ?3)",
    )?;
    for (index, table) in set.tables.iter().enumerate() {
        insert.execute(params![id.0, index as i64 + 1, table])?;
    }
    Ok(())
}

/// Saves that an object's upload has begun, and all of it if its slices are done.
pub(crate) fn save_object(
    transaction: &Transaction<'_>,
    id: &JobId,
    job: &Job,
) -> Result<(), TransactionError> {
    if job.place.table.is_none() {
        return Ok(());
    }
    let ended = job.ended.then(|| json(job)).transpose()?;
    let mut update = transaction.prepare_cached(
        "UPDATE export_objects SET name = ?3, ended = ?4 WHERE job = ?1 AND number = ?2",
    )?;
    update.execute(params![id.0, job.place.number as i64, job.upload.name, ended])?;
    Ok(())
}

/// Saves what a job's objects have become.
pub(crate) fn save_completed(
    transaction: &Transaction<'_>,
    id: &JobId,
    objects: &[JobObject],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO export_objects (job, number, table_name, name, bytes, rows, sha256, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (index, object) in objects.iter().enumerate() {
        let JobObject { table, name, bytes, rows, sha256, version } = object;
        insert.execute(params![
            id.0,
            index as i64 + 1,
            table,
            name,
            bytes,
            rows,
            sha256,
            version
        ])?;
    }
    Ok(())
}

pub(crate) fn forget_objects(transaction: &Transaction<'_>, id: &JobId) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM export_objects WHERE job = ?1", [&id.0])?;
    Ok(())
}
