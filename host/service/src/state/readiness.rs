//! Whether the service can do its work right now: databases, store and job file are checked, at most every few seconds.

use std::time::Duration;

use partway_jobs::JobStore;
use partway_sqlite::Snapshot;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::ServiceState;
use super::exports::StoreExports;
use crate::error::with_causes;

/// How long a result is good for: monitoring may ask as often as it likes, and so may strangers.
const GOOD_FOR: Duration = Duration::from_secs(3);

/// How long each check may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// A database, by its name.
    Database(String),
    Store,
    Jobs,
}

/// The last result.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, Vec<NotReady>)>>);

impl Readiness {
    /// What can't be used, now or a few seconds ago. The log has the reasons.
    pub async fn check(&self, state: &ServiceState) -> Vec<NotReady> {
        // Those who ask at the same time wait for the same result.
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < GOOD_FOR
        {
            return result.clone();
        }
        let result = check_all(state).await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

async fn check_all(state: &ServiceState) -> Vec<NotReady> {
    let databases = async {
        let mut broken = Vec::new();
        for (name, path) in state.databases.iter() {
            let path = path.to_owned();
            let open = spawn_blocking(move || {
                Snapshot::hold(&path).map(drop).map_err(|error| with_causes(&error))
            });
            let opened = async { open.await.unwrap_or_else(|error| Err(error.to_string())) };
            if let Some(what) = failure(NotReady::Database(name.to_owned()), opened).await {
                broken.push(what);
            }
        }
        broken
    };
    let Some(exports) = &state.exports else { return databases.await };
    let (mut broken, store, jobs) =
        tokio::join!(databases, check_store(exports), check_jobs(exports));
    broken.extend([store, jobs].into_iter().flatten());
    broken
}

async fn check_store(exports: &StoreExports) -> Option<NotReady> {
    let answers = async {
        exports.store.is_taken("partway").await.map(drop).map_err(|error| with_causes(&error))
    };
    failure(NotReady::Store, answers).await
}

async fn check_jobs(exports: &StoreExports) -> Option<NotReady> {
    let jobs: JobStore = exports.worker.jobs().clone();
    let check = spawn_blocking(move || jobs.check().map_err(|error| with_causes(&error)));
    let checked = async { check.await.unwrap_or_else(|error| Err(error.to_string())) };
    failure(NotReady::Jobs, checked).await
}

/// What failed, if it did.
async fn failure(
    what: NotReady,
    check: impl Future<Output = Result<(), String>>,
) -> Option<NotReady> {
    let checked = timeout(TIMEOUT, check).await;
    let late = || Err(format!("it has not answered within {} s", TIMEOUT.as_secs()));
    match checked.unwrap_or_else(|_| late()) {
        Ok(()) => None,
        Err(error) => {
            tracing::warn!(?what, error, "the service is not ready");
            Some(what)
        }
    }
}
