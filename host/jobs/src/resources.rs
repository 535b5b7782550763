//! What jobs need from outside: stores, components, and the databases they read.

use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use partway_store::{AddressError, Store, StoreAddress};
use partway_wasmtime::LoadError;
use partway_wasmtime::exporter::Exporter;

use crate::request::ExportRequest;
use crate::snapshots;
use crate::source::Source;
use crate::step_error::StepError;

/// Where a [`Worker`](crate::Worker) gets stores, components and sources. By default, stores are
/// opened by their addresses, and databases are SQLite files.
#[async_trait]
pub trait Resources: Debug + Send + Sync {
    /// Opens a store.
    ///
    /// # Errors
    ///
    /// Those of [`StoreAddress::open`].
    fn store(&self, address: &StoreAddress) -> Result<Arc<dyn Store>, AddressError> {
        address.open()
    }

    /// Returns the default component for a format, or loads another one from a file.
    ///
    /// # Errors
    ///
    /// Those of [`Exporter::from_file`].
    fn exporter(&self, format: &str, component: Option<&Path>) -> Result<Exporter, LoadError>;

    /// Opens the current state of a request's database, for an export that begins. By default this
    /// is a snapshot, kept as [`ExportRequest::snapshot`] says; if that needs a copy of the
    /// database, it is made at `copy` and deleted with the job. If the future is dropped, it leaves
    /// nothing open.
    ///
    /// # Errors
    ///
    /// [`StepError::Open`] by default. The error decides whether the job retries.
    async fn open_source(
        &self,
        request: &ExportRequest,
        copy: &Path,
    ) -> Result<Arc<dyn Source>, StepError> {
        snapshots::open(request, copy).await
    }

    /// Opens the database again, for an export that is resumed: by default the copy, if there is
    /// one, or else the database as it is now. If its [fingerprint](Source::fingerprint) differs
    /// from when the export began, the export starts over or fails, according to
    /// [`ExportRequest::on_change`].
    ///
    /// # Errors
    ///
    /// Like [`Resources::open_source`].
    async fn reopen_source(
        &self,
        request: &ExportRequest,
        copy: &Path,
    ) -> Result<Arc<dyn Source>, StepError> {
        snapshots::reopen(request, copy).await
    }
}

/// The components in `partway-prebuilt`, stores by their addresses, and SQLite files.
#[derive(Debug, Default)]
pub struct PrebuiltResources {
    /// The one that writes Parquet, and the one that writes the other formats, once they are loaded.
    parquet: OnceLock<Exporter>,
    others: OnceLock<Exporter>,
}

#[async_trait]
impl Resources for PrebuiltResources {
    fn exporter(&self, format: &str, component: Option<&Path>) -> Result<Exporter, LoadError> {
        if let Some(file) = component {
            return Exporter::from_file(file);
        }
        let loaded = if format == "parquet" { &self.parquet } else { &self.others };
        if let Some(exporter) = loaded.get() {
            return Ok(exporter.clone());
        }
        let exporter = Exporter::prebuilt_for(format)?;
        Ok(loaded.get_or_init(|| exporter).clone())
    }
}

#[cfg(test)]
mod tests {
    use partway_codec::Encoding;
    use std::sync::Mutex;

    use partway_sqlite::{Fingerprint, Snapshot};
    use partway_wasmtime::rows::{Cursor, Error, Rows, Schema};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        Admission, Expected, JobId, JobState, JobStore, OnChange, Pace, SnapshotMode, StepOutcome,
        Worker,
    };

    /// Rows that are not a SQLite snapshot's, as far as jobs know.
    struct Wrapped(Snapshot);

    #[async_trait]
    impl Rows for Wrapped {
        async fn describe(&mut self) -> Result<Schema, Error> {
            self.0.describe().await
        }

        async fn scan(
            &mut self,
            table: &[u8],
            columns: &[Vec<u8>],
            after: Option<&[u8]>,
        ) -> Result<Box<dyn Cursor>, Error> {
            self.0.scan(table, columns, after).await
        }
    }

    struct Version(Snapshot, String);

    impl Source for Version {
        fn rows(&self) -> Box<dyn Rows> {
            Box::new(Wrapped(self.0.clone()))
        }

        fn bytes(&self) -> u64 {
            self.0.bytes()
        }

        fn fingerprint(&self) -> Option<Fingerprint> {
            Some(self.1.clone().into())
        }
    }

    /// Databases that are known by a version, and not by a file.
    #[derive(Debug)]
    struct Versions {
        exporter: Exporter,
        snapshot: Snapshot,
        version: Mutex<String>,
    }

    #[async_trait]
    impl Resources for Versions {
        fn exporter(&self, _: &str, _: Option<&Path>) -> Result<Exporter, LoadError> {
            Ok(self.exporter.clone())
        }

        async fn open_source(
            &self,
            _: &ExportRequest,
            _: &Path,
        ) -> Result<Arc<dyn Source>, StepError> {
            let version = self.version.lock().unwrap().clone();
            Ok(Arc::new(Version(self.snapshot.clone(), version)))
        }

        async fn reopen_source(
            &self,
            request: &ExportRequest,
            copy: &Path,
        ) -> Result<Arc<dyn Source>, StepError> {
            self.open_source(request, copy).await
        }
    }

    struct Case {
        folder: tempfile::TempDir,
        jobs: JobStore,
        resources: Arc<Versions>,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("app.db");
            let rows = "CREATE TABLE t (a);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                INSERT INTO t SELECT printf('%050d', i) FROM n";
            rusqlite::Connection::open(&file).unwrap().execute_batch(rows).unwrap();
            std::fs::create_dir(folder.path().join("store")).unwrap();
            let resources = Arc::new(Versions {
                exporter: Exporter::prebuilt().unwrap(),
                snapshot: Snapshot::hold(&file).unwrap(),
                version: Mutex::new("1".to_owned()),
            });
            let jobs = JobStore::open(&folder.path().join("state")).unwrap();
            Self { folder, jobs, resources }
        }

        fn worker(&self) -> Worker {
            Worker::new(self.jobs.clone(), self.resources.clone(), ()).unwrap()
        }

        /// A job in slices of one part, of which the first is done.
        async fn begun(&self, on_change: OnChange) -> JobId {
            let request = ExportRequest {
                database: "no file".into(),
                store: StoreAddress::Folder(self.folder.path().join("store")),
                name: Some("app.sql".to_owned()),
                format: "sql".to_owned(),
                tables: vec![],
                settings: vec![],
                encoding: Encoding::default(),
                manifest: false,
                each_table: false,
                filters: vec![],
                component: None,
                part_size: Some(4096),
                snapshot: SnapshotMode::Auto,
                max_loaded_row: None,
                on_change,
                pace: Pace { slice_parts: Some(1), ..Pace::default() },
            };
            let worker = self.worker();
            let Admission::New(id) = worker.admit(&request, false).unwrap() else {
                panic!("not new")
            };
            for _ in 0..2 {
                let outcome = worker.step(&id, false, &CancellationToken::new()).await.unwrap();
                assert!(matches!(outcome, StepOutcome::Again(_)), "{outcome:?}");
            }
            worker.release(&id).unwrap();
            let record = self.jobs.get(&id).unwrap();
            assert_eq!((record.state, record.totals.parts), (JobState::Running, 1));
            assert_eq!((record.holder, record.expected), (None, Expected::default()));
            id
        }

        async fn finished(&self, id: &JobId) -> StepOutcome {
            self.worker().run(id, &CancellationToken::new()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_worker_exports_a_source_that_is_no_file_and_resumes_it() {
        let case = Case::new();
        let id = case.begun(OnChange::Fail).await;
        let StepOutcome::Finished(record, None) = case.finished(&id).await else {
            panic!("not finished")
        };
        assert_eq!((record.state, record.starts), (JobState::Done, 1), "{record:?}");
        assert_eq!(record.totals.rows, 2000);
        let length = std::fs::metadata(case.folder.path().join("store/app.sql")).unwrap().len();
        assert_eq!(length, record.totals.bytes);
    }

    #[tokio::test]
    async fn a_source_with_another_fingerprint_starts_over_or_fails() {
        let case = Case::new();
        let id = case.begun(OnChange::Restart).await;
        *case.resources.version.lock().unwrap() = "2".to_owned();
        let StepOutcome::Finished(record, None) = case.finished(&id).await else {
            panic!("not finished")
        };
        assert_eq!((record.state, record.starts), (JobState::Done, 2), "{record:?}");

        let case = Case::new();
        let id = case.begun(OnChange::Fail).await;
        *case.resources.version.lock().unwrap() = "2".to_owned();
        let StepOutcome::Finished(record, Some(error)) = case.finished(&id).await else {
            panic!("not finished")
        };
        assert!(matches!(error, StepError::MayNotStartOver), "{error}");
        assert_eq!(record.state, JobState::Failed);
        assert_eq!(std::fs::read_dir(case.folder.path().join("store")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_cancelled_job_leaves_nothing() {
        let case = Case::new();
        let id = case.begun(OnChange::Fail).await;
        case.jobs.request_cancel(&id, jiff::Timestamp::now()).unwrap();
        let StepOutcome::Finished(record, None) = case.finished(&id).await else {
            panic!("not finished")
        };
        assert_eq!((record.state, record.last_error), (JobState::Cancelled, None));
        assert_eq!(std::fs::read_dir(case.folder.path().join("store")).unwrap().count(), 0);
    }
}
