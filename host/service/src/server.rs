//! The service, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use partway_jobs::{JobStore, Pace, PrebuiltResources, Resources, StateError, Worker};
use partway_store::{StoreAddress, part_size};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::callbacks::{Callbacks, Courier};
use crate::config::Config;
use crate::databases::Databases;
use crate::events::Events;
use crate::exports::Exports;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::retention::Retention;
use crate::schedules::{Schedule, Schedules};
use crate::service::Service;
use crate::tickets::Tickets;
use crate::{connections, routes, schedules};

/// How long what is cut off may take to end.
const CUT_OFF: Duration = Duration::from_secs(2);

/// Why the service could not be started, or has ended.
#[derive(Debug)]
pub enum ServeError {
    /// What it was started with makes no sense.
    Config(anyhow::Error),
    /// It has failed.
    Failed(anyhow::Error),
}

impl ServeError {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Config(error.into())
    }
}

impl<E: Into<anyhow::Error>> From<E> for ServeError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs a service until `stop` is cancelled. `listening` is told the address once it listens.
///
/// # Errors
///
/// [`ServeError`].
pub async fn run(
    arguments: Config,
    stop: CancellationToken,
    listening: impl FnOnce(std::net::SocketAddr) -> anyhow::Result<()>,
) -> Result<(), ServeError> {
    let access = access(&arguments)?;
    let databases =
        Databases::new(&arguments.databases, &arguments.named).map_err(ServeError::usage)?;
    let schedules = schedules::rules(&databases, &arguments.every).map_err(ServeError::usage)?;
    let resources = Arc::new(PrebuiltResources::default());
    let exporter =
        resources.exporter(None).context("the component inside the program can't be used")?;
    let metrics = Arc::new(Metrics::new()?);
    let live = Live::new(metrics.clone());
    let exports = match &arguments.store {
        Some(address) => Some(exports(&arguments, address, resources, live).await?),
        None => None,
    };
    let worker = exports.as_ref().map(|exports| exports.worker.clone());
    let cut_off = CancellationToken::new();
    let service = Service {
        databases,
        exporter,
        snapshot: arguments.snapshot,
        exports,
        streams: Arc::new(Semaphore::new(arguments.exports as usize)),
        most_streams: arguments.exports as usize,
        metrics,
        checks: Service::checks(),
        tasks: TaskTracker::new(),
        events: Events::default(),
        tickets: Tickets::new()?,
        stop: stop.clone(),
        cut_off: cut_off.clone(),
    };
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("{} can't be listened on", arguments.listen))?;
    listening(listener.local_addr()?)?;

    let (most, stopping) = (arguments.exports as usize, stop.clone());
    // On threads of its own: saving jobs may have to wait for another process, and nobody who asks does.
    let background = Background::new()?;
    let mut timer = background.handle().spawn(async move {
        let ended = go_on(worker, most, &stopping).await;
        // Without its timer the service is of no use.
        stopping.cancel();
        ended
    });
    let service = Arc::new(service);
    begin_tasks(&service, &arguments, schedules, background.handle());
    let tasks = service.tasks.clone();
    tasks.close();
    let router = routes::router(service, access, &arguments.cors);
    let mut server = tokio::spawn(connections::serve(listener, router, stop.clone()));
    stop.cancelled().await;
    let end = Instant::now() + arguments.drain;
    if timeout_at(end, &mut server).await.is_err() {
        tracing::warn!("some answers are broken off: they have taken longer than --drain");
        server.abort();
    }
    cut_off.cancel();
    let end = end + CUT_OFF;
    if timeout_at(end, tasks.wait()).await.is_err() {
        tracing::warn!("callbacks or dumps are broken off: they have taken longer than --drain");
    }
    match timeout_at(end, &mut timer).await {
        Ok(ended) => Ok(ended.context("the timer ended in an unforeseen way")??),
        Err(_) => {
            // What is not saved is done again at the next start.
            tracing::warn!(
                "some exports are broken off: their parts have taken longer than --drain"
            );
            timer.abort();
            Ok(())
        }
    }
}

/// Begins what is done beside answering and exporting.
fn begin_tasks(
    service: &Arc<Service>,
    arguments: &Config,
    schedules: Vec<Schedule>,
    background: &Handle,
) {
    let begin = |task| service.tasks.spawn_on(task, background);
    begin(Courier::new(service.clone()).run().boxed());
    begin(Schedules::new(service.clone(), schedules, arguments.jitter).run().boxed());
    let retention = Retention { last: arguments.keep, days: arguments.keep_days };
    begin(retention.run(service.clone()).boxed());
}

/// Threads for what nobody waits for with an answer.
struct Background(Option<Runtime>);

impl Background {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(Some(Runtime::new().context("no threads can be started")?)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until the end").handle()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // What is left has had its time. A runtime can't wait for the end of another.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Goes on with jobs, where there are any, until the service is to stop.
async fn go_on(
    worker: Option<Worker>,
    most: usize,
    stop: &CancellationToken,
) -> Result<(), StateError> {
    match worker {
        Some(worker) => worker.run_due(most, stop).await,
        None => {
            stop.cancelled().await;
            Ok(())
        }
    }
}

fn access(arguments: &Config) -> Result<Access, ServeError> {
    match &arguments.token_file {
        Some(file) => Access::from_file(file).map_err(ServeError::usage),
        None if arguments.listen.ip().is_loopback() => Ok(Access::Local),
        None => Err(ServeError::usage(anyhow!(
            "{} can be reached from other machines: give --token-file, or listen on 127.0.0.1",
            arguments.listen
        ))),
    }
}

async fn exports(
    arguments: &Config,
    address: &StoreAddress,
    resources: Arc<PrebuiltResources>,
    live: Live,
) -> Result<Exports, ServeError> {
    let store = address.open()?;
    part_size(arguments.part_size, 0, store.limits()).map_err(ServeError::usage)?;
    // What is wrong with it is better said now. What may pass is left to the jobs.
    if let Err(error) = store.is_taken("partway").await
        && !error.is_transient()
    {
        return Err(error.into());
    }
    let jobs = JobStore::open(&arguments.state)?;
    let secret = arguments.callback_secret_file.as_deref();
    let callbacks = Callbacks::new(&arguments.callback_allow, secret, jobs.folder())
        .map_err(ServeError::usage)?;
    let worker = Worker::new(jobs, resources, live.clone())?;
    // The store keeps its identity though its folder may go away.
    let address = match address.clone() {
        StoreAddress::Folder(path) => StoreAddress::Folder(path.canonicalize().unwrap_or(path)),
        other => other,
    };
    Ok(Exports {
        worker,
        live,
        callbacks,
        identity: address.identity(),
        address,
        store,
        snapshot: arguments.snapshot,
        part_size: arguments.part_size,
        pace: Pace {
            slice_parts: arguments.slice_parts,
            slice_time: arguments.slice_time,
            pause: arguments.pause,
            retries: arguments.retries,
        },
        most_unfinished: arguments.unfinished,
        inline_within: arguments.inline_within,
        inline_size: arguments.inline_size,
        downloads: Arc::new(Semaphore::new(arguments.downloads as usize)),
        most_downloads: arguments.downloads as usize,
    })
}
