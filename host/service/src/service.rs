//! The service: opened from its configuration, mounted or run, and stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use partway_jobs::{
    Clock, ExportRequest, JobStore, PrebuiltResources, Resources, StateError, SystemClock, Worker,
};
use partway_store::{StoreAddress, part_size};
use partway_wasmtime::exporter::Options;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callbacks::client::CallbackClient;
use crate::callbacks::sender::CallbackSender;
use crate::config::{Config, ScheduleConfig, StoreConfig};
use crate::error::{BoxError, ConfigError, ServiceError, with_causes};
use crate::forgetting;
use crate::http::access::{Access, TokenFile};
use crate::http::connections;
use crate::routes;
use crate::schedules::retention::{self, RetentionRules};
use crate::schedules::scheduler::{self, Schedule, Scheduler};
use crate::state::databases::Databases;
use crate::state::exports::StoreExports;
use crate::state::metrics::Metrics;
use crate::state::readiness::Readiness;
use crate::state::running::RunningExports;
use crate::state::signed_urls::SignedUrls;
use crate::state::{CHECK_PART_SIZE, CONCURRENT_CHECKS, ServiceState};

/// How long tasks that are cut off may take to end.
const CUT_OFF_TIME: Duration = Duration::from_secs(2);

/// A service whose databases, store and jobs are open. It does nothing until [`Service::run`] or [`Service::work`].
pub struct Service {
    state: Arc<ServiceState>,
    access: Arc<Access>,
    allowed_origins: Vec<HeaderValue>,
    schedules: Vec<Schedule>,
    jitter: Option<Duration>,
    retention: RetentionRules,
    forget_after: Option<Duration>,
    listen: SocketAddr,
    drain: Duration,
}

/// Runs a service on its own address until `stop` is cancelled, and then until open responses have
/// ended, at most for [`Config::drain`]. `listening` is called once, with the address it listens
/// on.
///
/// # Errors
///
/// [`ServiceError`]. An error of `listening` ends the service before it has answered a request.
pub async fn run<E: Into<BoxError>>(
    config: Config,
    stop: CancellationToken,
    listening: impl FnOnce(SocketAddr) -> Result<(), E>,
) -> Result<(), ServiceError> {
    Service::open(config, stop).await?.run(listening).await
}

impl Service {
    /// Opens databases, store and saved jobs. Must be called within a tokio runtime, like
    /// everything here.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Config`] if the configuration can't be used, others if the store, the saved
    /// jobs or the system fail.
    pub async fn open(config: Config, stop: CancellationToken) -> Result<Self, ServiceError> {
        let access = open_access(&config)?;
        let databases = Databases::open(&config.databases)?;
        let ScheduleConfig { schedules, jitter, retention } =
            config.store.as_ref().map(|store| store.schedules.clone()).unwrap_or_default();
        let schedules = scheduler::resolve(&databases, &schedules)?;
        let resources = Arc::new(PrebuiltResources::default());
        // The formats that most ask for are there at once, or the service does not start.
        resources.exporter("sql", None).map_err(ServiceError::Component)?;
        let metrics = Arc::new(Metrics::new()?);
        let running = RunningExports::new(metrics.clone());
        let exports = match &config.store {
            Some(store) => {
                let scheduled = schedules.iter();
                let scheduled =
                    scheduled.map(|it| (it.database.clone(), it.export.options.clone()));
                let scheduled = scheduled.collect();
                Some(open_exports(&config, store, resources.clone(), running, scheduled).await?)
            }
            None => {
                metrics.expect_streams(databases.names());
                None
            }
        };
        let max_streams = config.concurrent_exports as usize;
        let state = Arc::new(ServiceState {
            databases,
            resources: resources.clone(),
            snapshot: config.snapshot,
            max_loaded_row: config.max_loaded_row,
            encoding: config.encoding.clone(),
            exports,
            streams: Arc::new(Semaphore::new(max_streams)),
            max_streams,
            metrics,
            checks: Semaphore::new(CONCURRENT_CHECKS),
            tasks: TaskTracker::new(),
            signed_urls: SignedUrls::new()?,
            readiness: Readiness::default(),
            stop,
            cut_off: CancellationToken::new(),
        });
        check_schedules(&state, &schedules).await?;
        let (access, allowed_origins) = (Arc::new(access), config.allowed_origins);
        let (listen, drain) = (config.listen, config.drain);
        let forget_after = config.store.and_then(|store| store.forget_after);
        Ok(Self {
            state,
            access,
            allowed_origins,
            retention: RetentionRules::new(retention, &schedules),
            schedules,
            jitter,
            forget_after,
            listen,
            drain,
        })
    }

    /// What reads files of secrets again while the service runs.
    pub fn reloader(&self) -> Reloader {
        Reloader { state: self.state.clone(), access: self.access.clone() }
    }

    /// All routes of the service, for a server of your own. They have absolute paths, including
    /// `/`, and refer to each other by these: merge the router, or serve it on its own host name,
    /// instead of nesting it. Without tokens, requests must address this machine as `localhost` or
    /// by an IP address. Exports to a store wait until [`Service::work`] runs.
    pub fn router(&self) -> Router {
        routes::router(self.state.clone(), self.access.clone(), &self.allowed_origins)
    }

    /// Runs exports, callbacks, schedules and retention, without a server, until the token given to
    /// [`Service::open`] is cancelled; then lets running slices and callbacks end, for at most
    /// [`Config::drain`]. The router of a service without a store streams dumps even if this is not
    /// running.
    ///
    /// # Errors
    ///
    /// If no threads can be started, or the saved jobs can no longer be read or written.
    pub async fn work(self) -> Result<(), ServiceError> {
        let background = Background::start(&self)?;
        self.state.stop.cancelled().await;
        let end = Instant::now() + self.drain;
        // Dumps that are being streamed are among the tasks. Those that are left then are cut off.
        timeout_at(end, self.state.tasks.wait()).await.ok();
        background.end(&self.state, end, self.drain).await
    }

    /// Runs the service with a server on the configured address. See [`run`].
    ///
    /// # Errors
    ///
    /// Like [`run`].
    pub async fn run<E: Into<BoxError>>(
        self,
        listening: impl FnOnce(SocketAddr) -> Result<(), E>,
    ) -> Result<(), ServiceError> {
        let address = self.listen;
        let failed = |source| ServiceError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listening(bound).map_err(|error| ServiceError::Listening(error.into()))?;
        let background = Background::start(&self)?;
        let stop = self.state.stop.clone();
        let (router, metrics) = (self.router(), self.state.metrics.clone());
        let mut server = tokio::spawn(connections::serve(listener, router, metrics, stop.clone()));
        stop.cancelled().await;
        let end = Instant::now() + self.drain;
        if timeout_at(end, &mut server).await.is_err() {
            log_cut_off("open responses", self.drain);
            server.abort();
        }
        background.end(&self.state, end, self.drain).await
    }
}

/// Reads the files of tokens and of the callback secret again, while the service runs.
#[derive(Clone)]
pub struct Reloader {
    state: Arc<ServiceState>,
    access: Arc<Access>,
}

impl Reloader {
    /// Reads [`Config::token_file`] and [`CallbackConfig::secret_file`](crate::CallbackConfig::secret_file) again, where
    /// they are configured. Requests that are being answered, and open streams, are not affected. What comes of it is
    /// logged.
    ///
    /// # Errors
    ///
    /// If a file can't be used: its secrets stay as they were. The other file is read nevertheless.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let tokens = match &*self.access {
            Access::Local => Ok(()),
            Access::Tokens(file) => {
                file.reload().map(|tokens| tracing::info!(tokens, "the token file was read again"))
            }
        };
        let secret = match &self.state.exports {
            None => Ok(()),
            Some(exports) => exports.callbacks.reload_secret().map(|is_configured| {
                if is_configured {
                    tracing::info!("the callback secret was read again");
                }
            }),
        };
        for error in [&tokens, &secret].into_iter().filter_map(|result| result.as_ref().err()) {
            let error = with_causes(error);
            tracing::error!(error, "a file can't be read again, and what was read before stays");
        }
        tokens.and(secret)
    }
}

/// The tasks beside answering requests, on threads of their own: saving jobs may have to wait for another process, and
/// no request waits with it.
struct Background {
    threads: Threads,
    timer: tokio::task::JoinHandle<Result<(), StateError>>,
}

impl Background {
    fn start(service: &Service) -> Result<Self, ServiceError> {
        let threads = Threads::start()?;
        let Service { state, schedules, jitter, retention, forget_after, .. } = service;
        let worker = state.exports.as_ref().map(|exports| exports.worker.clone());
        let (max, stop) = (state.max_streams, state.stop.clone());
        let timer = threads.handle.spawn(async move {
            let ended = run_due_exports(worker, max, &stop).await;
            // Without its timer the service is of no use.
            stop.cancel();
            ended
        });
        let (tasks, handle) = (&state.tasks, &threads.handle);
        tasks.spawn_on(CallbackSender::new(state.clone()).run(), handle);
        let scheduler = Scheduler::new(state.clone(), schedules.clone(), *jitter);
        tasks.spawn_on(scheduler.run(), handle);
        tasks.spawn_on(retention::run(retention.clone(), state.clone()), handle);
        let keeps_scheduled = retention.is_needed();
        tasks.spawn_on(forgetting::run(*forget_after, keeps_scheduled, state.clone()), handle);
        tasks.close();
        Ok(Self { threads, timer })
    }

    /// Waits for all tasks, until `end` and a little longer. Then cuts them off.
    async fn end(
        mut self,
        state: &ServiceState,
        end: Instant,
        drain: Duration,
    ) -> Result<(), ServiceError> {
        state.cut_off.cancel();
        let end = end + CUT_OFF_TIME;
        if timeout_at(end, state.tasks.wait()).await.is_err() {
            log_cut_off("callbacks or streamed dumps", drain);
        }
        let ended = match timeout_at(end, &mut self.timer).await {
            Ok(Ok(ended)) => ended.map_err(ServiceError::Jobs),
            Ok(Err(error)) => Err(ServiceError::Timer(error)),
            Err(_) => {
                // Slices that are not saved are done again at the next start.
                log_cut_off("exports", drain);
                self.timer.abort();
                Ok(())
            }
        };
        drop(self.threads);
        ended
    }
}

fn log_cut_off(what: &str, drain: Duration) {
    let seconds = drain.as_secs_f64();
    tracing::warn!(
        seconds,
        "{what} were cut off: they took too long after the service was stopped"
    );
}

/// Threads beside those of the caller's runtime.
struct Threads {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Threads {
    fn start() -> Result<Self, ServiceError> {
        let runtime = Runtime::new().map_err(|error| ServiceError::setup("threads", error))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // All tasks have had their time. A runtime can't wait for the end of another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs exports when they are due, where there is a store, until the service is to stop.
async fn run_due_exports(
    worker: Option<Worker>,
    max: usize,
    stop: &CancellationToken,
) -> Result<(), StateError> {
    match worker {
        Some(worker) => worker.run_due(max, stop).await,
        None => {
            stop.cancelled().await;
            Ok(())
        }
    }
}

/// Has the component check what schedules are to export: that they can't be kept is said now, and not by night.
async fn check_schedules(state: &ServiceState, schedules: &[Schedule]) -> Result<(), ConfigError> {
    let Some(exports) = &state.exports else { return Ok(()) };
    for Schedule { name, database, export, .. } in schedules {
        let request = export.request(exports.default_request(database.clone()), SystemClock.now());
        let checked = if request.each_table {
            state.check_each_table(request, CHECK_PART_SIZE).await
        } else {
            let ExportRequest { format, tables, settings, filters, .. } = request;
            let options = Options { format, tables, settings, part_size: CHECK_PART_SIZE };
            state.check(database.clone(), options, filters).await
        };
        if let Err(error) = checked
            && error.is_of_request()
        {
            let (database, options) = (name.clone(), export.options.clone());
            return Err(ConfigError::ScheduledExport { database, options, source: error.into() });
        }
    }
    Ok(())
}

fn open_access(config: &Config) -> Result<Access, ConfigError> {
    match &config.token_file {
        Some(file) => TokenFile::read(file).map(Access::Tokens),
        None if config.listen.ip().is_loopback() => Ok(Access::Local),
        None => Err(ConfigError::NoTokens { address: config.listen }),
    }
}

async fn open_exports(
    config: &Config,
    store_config: &StoreConfig,
    resources: Arc<PrebuiltResources>,
    running: RunningExports,
    scheduled: Vec<(PathBuf, String)>,
) -> Result<StoreExports, ServiceError> {
    let StoreConfig { address, pace, inline, .. } = store_config.clone();
    let store = address.open()?;
    part_size(store_config.part_size, 0, store.limits()).map_err(ConfigError::PartSize)?;
    // Permanent errors show now. Others may pass before the first job.
    if let Err(error) = store.is_taken("partway").await
        && !error.is_transient()
    {
        return Err(error.into());
    }
    let jobs = JobStore::open(&store_config.state)?;
    let callbacks = CallbackClient::new(&store_config.callbacks, jobs.folder())?;
    let worker = Worker::new(jobs, resources, running.clone())?;
    // The store keeps its identity even if its folder goes away.
    let address = match address {
        StoreAddress::Folder(path) => StoreAddress::Folder(path.canonicalize().unwrap_or(path)),
        other => other,
    };
    let max_downloads = store_config.concurrent_downloads as usize;
    Ok(StoreExports {
        worker,
        running,
        callbacks,
        identity: address.identity(),
        address,
        store,
        snapshot: config.snapshot,
        max_loaded_row: config.max_loaded_row,
        encoding: config.encoding.clone(),
        part_size: store_config.part_size,
        manifests: store_config.manifests,
        pace,
        max_unfinished: store_config.max_unfinished,
        inline,
        downloads: Arc::new(Semaphore::new(max_downloads)),
        max_downloads,
        scheduled,
    })
}
