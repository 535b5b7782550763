//! Whether the object of a done job is still the one that the job has made.

use std::sync::Arc;

use futures_util::StreamExt;
use partway_store::{ObjectStat, ObjectVersion, Store, StoreError};
use sha2::{Digest, Sha256};
use tokio::task::JoinError;

use crate::blocking::spawn_blocking;
use crate::job_store::JobStore;
use crate::object_set::JobObject;
use crate::record::{JobId, JobRecord};
use crate::state_error::StateError;
use rusqlite::params;

/// What became of the object of a done job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectCheck {
    /// It is as the job has made it.
    Present,
    /// Another object has its name, or its bytes have changed.
    Replaced,
    /// There is no object of its name.
    Missing,
}

/// Why that could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job store failed.
    #[error(transparent)]
    Jobs(#[from] StateError),
    /// A thread ended unexpectedly.
    #[error("looking at the object ended unexpectedly: {0}")]
    Panicked(#[from] JoinError),
}

impl JobStore {
    /// Finds out whether the object of a done job is still in its store, and still the one that the
    /// job has made; of several, all of them.
    ///
    /// Its version tells: see [`ObjectVersion`]. In a folder, a file of the same length and another
    /// version, as a copy or a backup that was restored has it, is read: if it has the job's
    /// SHA-256, it is the object, and its version is saved so that it is read only once. For a job
    /// of which no version was saved, the length decides, unless a later job has made an object of
    /// the same name.
    ///
    /// # Errors
    ///
    /// All of [`ObjectError`].
    pub async fn check_object(
        &self,
        store: &Arc<dyn Store>,
        record: &JobRecord,
    ) -> Result<ObjectCheck, ObjectError> {
        let (jobs, of) = (self.clone(), record.clone());
        for object in spawn_blocking(move || jobs.objects(&of)).await?? {
            let check = self.check_one_object(store, record, &object).await?;
            if check != ObjectCheck::Present {
                return Ok(check);
            }
        }
        Ok(ObjectCheck::Present)
    }

    /// Like [`JobStore::check_object`], of one of the job's [objects](JobStore::objects).
    ///
    /// # Errors
    ///
    /// All of [`ObjectError`].
    pub async fn check_one_object(
        &self,
        store: &Arc<dyn Store>,
        record: &JobRecord,
        object: &JobObject,
    ) -> Result<ObjectCheck, ObjectError> {
        let found = match store.stat(&object.name).await {
            Ok(found) => found,
            Err(StoreError::NoObject { .. }) => return Ok(ObjectCheck::Missing),
            Err(error) => return Err(error.into()),
        };
        // Also where both have the same bytes: then it is the later job's to delete. Of a set, only its manifest has a name
        // that another job's may be known by.
        let is_result = record.object.as_ref() == Some(&object.name);
        if found.length != object.bytes || (is_result && self.superseded(record).await?) {
            return Ok(ObjectCheck::Replaced);
        }
        let is_own = match (&object.version, found.version) {
            (Some(saved), Some(version)) if *saved != version => {
                store.is_local() && self.has_hash(store, &record.id, object, version).await?
            }
            _ => true,
        };
        Ok(if is_own { ObjectCheck::Present } else { ObjectCheck::Replaced })
    }

    /// Whether an object has the hash of the job's. Its version is saved then.
    async fn has_hash(
        &self,
        store: &Arc<dyn Store>,
        id: &JobId,
        object: &JobObject,
        version: ObjectVersion,
    ) -> Result<bool, ObjectError> {
        if object.sha256 != sha256(store, &object.name).await? {
            return Ok(false);
        }
        // It may have been written to while it was read.
        let ObjectStat { version: now, .. } = store.stat(&object.name).await?;
        let is_unchanged = now.as_ref() == Some(&version);
        if is_unchanged {
            let (jobs, id, name) = (self.clone(), id.clone(), object.name.clone());
            spawn_blocking(move || jobs.save_object_version(&id, &name, &version)).await??;
        }
        Ok(is_unchanged)
    }

    async fn superseded(&self, record: &JobRecord) -> Result<bool, ObjectError> {
        let (jobs, id) = (self.clone(), record.id.clone());
        Ok(spawn_blocking(move || jobs.is_superseded(&id)).await??)
    }

    fn save_object_version(&self, id: &JobId, name: &str, version: &str) -> Result<(), StateError> {
        self.write(|transaction| {
            for update in [
                "UPDATE export_jobs SET object_version = ?3 WHERE id = ?1 AND object = ?2",
                "UPDATE export_objects SET version = ?3 WHERE job = ?1 AND name = ?2",
            ] {
                transaction.execute(update, params![id.0, name, version])?;
            }
            Ok(())
        })
    }
}

/// The SHA-256 of an object's bytes, in hexadecimal digits.
async fn sha256(store: &Arc<dyn Store>, name: &str) -> Result<String, ObjectError> {
    let mut bytes = store.read(name).await?;
    let mut hasher = Sha256::new();
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        hasher = spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        })
        .await?;
    }
    Ok(base16ct::lower::encode_string(&hasher.finalize()))
}
