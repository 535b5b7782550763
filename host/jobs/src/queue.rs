//! Requests of clients: each is queued as a separate job, unless it repeats an earlier request.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::callbacks::insert_callback;
use crate::job_store::{JobStore, TransactionError, insert};
use crate::record::{JobId, JobState};
use crate::request::ExportRequest;
use crate::state_error::StateError;

/// The result of a client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queued {
    /// A new job, due at once.
    New(JobId),
    /// The request was made before, under the same key: this is its job.
    Known(JobId),
    /// Another request was made under the same key.
    KeyTaken(JobId),
    /// Too many jobs are unfinished to accept another.
    Full(u64),
}

impl JobStore {
    /// Creates a job from a request, even if others export the same. A key is the client's own name
    /// for the request: as long as the job is known, the same key does not create a second job. A
    /// callback is the URL that is notified of how the job ended.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn queue(
        &self,
        request: &ExportRequest,
        key: Option<&str>,
        callback: Option<&str>,
        most_unfinished: u64,
        now: Timestamp,
    ) -> Result<Queued, StateError> {
        let store = request.store.identity();
        self.write(|transaction| {
            if let Some(known) = self.known(transaction, request, key, callback)? {
                return Ok(known);
            }
            let unfinished = transaction.query_row(
                "SELECT count(*) FROM export_jobs WHERE store = ?1 AND finished_at IS NULL",
                [&store],
                |row| row.get::<_, i64>(0),
            )?;
            let unfinished = u64::try_from(unfinished).unwrap_or_default();
            if unfinished >= most_unfinished {
                return Ok(Queued::Full(unfinished));
            }
            let id = insert(transaction, request, key, now)?;
            if let Some(url) = callback {
                insert_callback(transaction, &id, url, now)?;
            }
            Ok(Queued::New(id))
        })
    }

    /// The result of an earlier request under a key, if there was one.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn asked_before(
        &self,
        request: &ExportRequest,
        key: &str,
        callback: Option<&str>,
    ) -> Result<Option<Queued>, StateError> {
        self.read(|connection| self.known(connection, request, Some(key), callback))
    }

    fn known(
        &self,
        connection: &Connection,
        request: &ExportRequest,
        key: Option<&str>,
        callback: Option<&str>,
    ) -> Result<Option<Queued>, TransactionError> {
        let Some(key) = key else { return Ok(None) };
        let (store, clause) = (request.store.identity(), "WHERE store = ?1 AND request_key = ?2");
        let Some(record) = self.records(connection, clause, params![store, key])?.pop() else {
            return Ok(None);
        };
        let known = connection
            .prepare_cached("SELECT url FROM export_callbacks WHERE job = ?1")?
            .query_map([&record.id.0], |row| row.get::<_, String>(0))?
            .next()
            .transpose()?;
        let is_same = record.request.asks_for_the_same(request) && known.as_deref() == callback;
        Ok(Some(if is_same { Queued::Known(record.id) } else { Queued::KeyTaken(record.id) }))
    }

    /// How many jobs are unfinished, by state; states without jobs are left out.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn count_unfinished(&self) -> Result<Vec<(JobState, i64)>, StateError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT state, count(*) FROM export_jobs WHERE finished_at IS NULL GROUP BY state",
            )?;
            let mut rows = statement.query([])?;
            let mut counted = Vec::new();
            while let Some(row) = rows.next()? {
                // A later version's states are its own affair.
                counted.extend(JobState::from_word(&row.get::<_, String>(0)?).zip(row.get(1).ok()));
            }
            Ok(counted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> ExportRequest {
        ExportRequest { name: Some(name.to_owned()), ..ExportRequest::example() }
    }

    #[test]
    fn a_request_under_a_known_key_is_the_same_job() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let queue = |request: &ExportRequest, key| {
            // As another process would, after a restart.
            JobStore::open(folder.path()).unwrap().queue(request, key, None, 3, now).unwrap()
        };
        let Queued::New(first) = queue(&request("a"), Some("key")) else { panic!("not new") };
        assert_eq!(queue(&request("a"), Some("key")), Queued::Known(first.clone()));
        let mut at_another_pace = request("a");
        at_another_pace.pace.slice_parts = Some(1);
        at_another_pace.part_size = Some(8192);
        assert_eq!(queue(&at_another_pace, Some("key")), Queued::Known(first.clone()));
        assert_eq!(queue(&request("b"), Some("key")), Queued::KeyTaken(first.clone()));
        assert!(matches!(queue(&request("b"), Some("other")), Queued::New(_)));
        assert!(matches!(queue(&request("a"), None), Queued::New(_)));
        assert_eq!(queue(&request("a"), None), Queued::Full(3));
        assert_eq!(queue(&request("a"), Some("key")), Queued::Known(first));
    }
}
