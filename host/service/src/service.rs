//! What all requests share: the databases, the component, the jobs.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use partway_jobs::SnapshotMode;
use partway_sqlite::Snapshot;
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::exporter::{ExportError as Error, Options};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::Refusal;
use crate::databases::Databases;
use crate::events::Events;
use crate::exports::Exports;
use crate::metrics::Metrics;
use crate::tickets::Tickets;
use crate::wish::Wish;

/// How many requests are looked into at a time: each has the component read the database's schema.
const CHECKS: usize = 8;

/// The size of parts that a request is looked into with. Any will do: none is written.
const PART_SIZE: u32 = 5 * 1024 * 1024;

/// What all requests share.
pub struct Service {
    pub databases: Databases,
    pub exporter: Exporter,
    pub snapshot: SnapshotMode,
    /// With a store: the exports to it. Without, dumps are streamed.
    pub exports: Option<Exports>,
    /// One for each dump that is being streamed.
    pub streams: Arc<Semaphore>,
    pub most_streams: usize,
    pub metrics: Arc<Metrics>,
    pub checks: Semaphore,
    /// What is to come to its end before the service does.
    pub tasks: TaskTracker,
    pub events: Events,
    pub tickets: Tickets,
    /// Cancelled when the service is to stop: whoever waits answers at once.
    pub stop: CancellationToken,
    /// Cancelled when it has waited long enough for open answers.
    pub cut_off: CancellationToken,
}

/// An export that makes sense.
#[derive(Debug, Clone)]
pub struct Plan {
    pub database: PathBuf,
    pub name: Option<String>,
    pub format: String,
    pub tables: Vec<String>,
    pub settings: Vec<(String, String)>,
    /// What is to be called when it has ended.
    pub callback: Option<String>,
}

impl Plan {
    /// The component's options.
    pub fn options(&self, part_size: u32) -> Options {
        Options {
            format: self.format.clone(),
            tables: self.tables.clone(),
            part_size,
            settings: self.settings.clone(),
        }
    }
}

impl Service {
    /// As many checks as are done at a time.
    pub fn checks() -> Semaphore {
        Semaphore::new(CHECKS)
    }

    /// What a wish comes to, as far as that can be told without looking into the database.
    ///
    /// # Errors
    ///
    /// Where there is no such database, or the wish makes no sense.
    pub fn plan(&self, wish: &Wish) -> Result<Plan, Refusal> {
        Ok(Plan {
            database: self.databases.path(wish.database.as_deref())?.to_owned(),
            name: wish.name()?,
            format: wish.format(),
            tables: wish.tables.clone(),
            settings: wish.settings()?,
            callback: wish.callback_url.clone(),
        })
    }

    /// Has the component look whether a plan can be carried out.
    ///
    /// # Errors
    ///
    /// Where the database can't be opened, the plan names what there is not: a format, a table, or the callback leads where
    /// none goes.
    pub async fn check(&self, plan: &Plan) -> Result<(), Refusal> {
        if let Some(url) = &plan.callback {
            match &self.exports {
                Some(exports) => exports.callbacks.check(url).await?,
                None => {
                    return Err(Refusal::bad(
                        "no callbackUrl is called for a dump that is streamed: it ends with its answer",
                    ));
                }
            }
        }
        let (exporter, database) = (self.exporter.clone(), plan.database.clone());
        let options = plan.options(PART_SIZE);
        let _turn = self.checks.acquire().await;
        let started = spawn_blocking(move || {
            let snapshot = Snapshot::hold(&database)?;
            Ok::<_, Refusal>(exporter.start(snapshot, &options))
        });
        started.await??.map_err(|error| refusal(&error))?;
        Ok(())
    }

    /// The exports to the store.
    ///
    /// # Errors
    ///
    /// Where there is no store.
    pub fn exports(&self) -> Result<&Exports, Refusal> {
        self.exports.as_ref().ok_or_else(|| {
            Refusal::not_found(
                "this service keeps no exports: it was started without --store, and GET /export/dump streams each dump",
            )
        })
    }
}

/// What a failure of the component says to a client.
pub fn refusal(error: &CallError) -> Refusal {
    match error {
        CallError::Exporter(Error::InvalidOptions(text)) => Refusal::bad(text.clone()),
        CallError::Exporter(Error::ReadFailed(_) | Error::Interrupted) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).again_in(10)
        }
        other => Refusal::failed(other.to_string()),
    }
}
