//! What the service counts and measures, in the text format of Prometheus.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use partway_jobs::{JobEvent, JobId, JobState, Totals};
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::database_metrics::{DatabaseMetrics, SavedNumbers};
use crate::error::ServiceError;

/// Upper bounds of the buckets for the seconds that a request takes, to the head of its response.
const REQUEST_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Upper bounds of the buckets for the seconds that a slice takes.
const SLICE_SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// States in which a job is not finished.
const UNFINISHED: [JobState; 5] = [
    JobState::Waiting,
    JobState::Running,
    JobState::Completing,
    JobState::Failing,
    JobState::Cancelling,
];

/// How a streamed dump has ended.
#[derive(Debug, Clone, Copy)]
pub enum StreamEnd {
    /// Complete.
    Done,
    /// Complete to its end, but the database is damaged, and rows are missing.
    Damaged,
    /// Incomplete: the export failed.
    Failed,
    /// Incomplete: the client has gone, or the service is stopping.
    BrokenOff,
}

impl StreamEnd {
    const ALL: [Self; 4] = [Self::Done, Self::Damaged, Self::Failed, Self::BrokenOff];

    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Damaged => "damaged",
            Self::Failed => "failed",
            Self::BrokenOff => "broken_off",
        }
    }
}

/// What is going on right now, and is not counted event by event.
pub struct CurrentNumbers<'a> {
    /// Dumps that are being streamed.
    pub streams: usize,
    /// Objects that are being downloaded.
    pub downloads: usize,
    /// Unfinished exports by state; none without a store.
    pub unfinished: Option<HashMap<JobState, i64>>,
    /// With a store: what is saved of each database, by its name.
    pub saved: Vec<(&'a str, SavedNumbers)>,
}

/// All counters and gauges. Their labels have few values, whatever clients ask for.
pub struct Metrics {
    registry: Registry,
    /// Those of each database.
    pub databases: DatabaseMetrics,
    unfinished: IntGaugeVec,
    rows: IntCounter,
    bytes: IntCounter,
    parts: IntCounter,
    slices: Histogram,
    retries: IntCounter,
    starts_over: IntCounter,
    streams: IntCounterVec,
    stream_bytes: IntCounter,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    open_downloads: IntGauge,
    open_streams: IntGauge,
    memory: IntGauge,
    /// How far each running job was at its last event.
    totals: Mutex<HashMap<JobId, Totals>>,
    rendering: Mutex<()>,
}

impl Metrics {
    /// With nothing counted yet.
    ///
    /// # Errors
    ///
    /// If two metrics have the same name.
    pub fn new() -> Result<Self, ServiceError> {
        Self::with_registry(Registry::new()).map_err(|error| ServiceError::setup("metrics", error))
    }

    fn with_registry(registry: Registry) -> prometheus::Result<Self> {
        let started = register(
            &registry,
            Gauge::new(
                "process_start_time_seconds",
                "When the program was started, in seconds since 1970",
            )?,
        )?;
        started.set(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64());
        let build = Opts::new("partway_build_info", "The program's version");
        let build = register(&registry, IntGaugeVec::new(build, &["version"])?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self::register_all(registry)
    }

    fn register_all(registry: Registry) -> prometheus::Result<Self> {
        let slices =
            HistogramOpts::new("partway_slice_seconds", "How long slices took, with their uploads")
                .buckets(SLICE_SECONDS.to_vec());
        let seconds = HistogramOpts::new(
            "partway_http_request_duration_seconds",
            "How long requests took, until the headers of the response",
        )
        .buckets(REQUEST_SECONDS.to_vec());
        let counter = |name, help| register(&registry, IntCounter::new(name, help)?);
        let counters = |name, help, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| register(&registry, IntGauge::new(name, help)?);
        let gauges = |name, help, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            databases: DatabaseMetrics::new(&registry)?,
            unfinished: gauges("partway_exports_unfinished", "Unfinished exports", &["state"])?,
            rows: counter("partway_exported_rows_total", "Rows in saved slices")?,
            bytes: counter("partway_exported_bytes_total", "Bytes in saved slices")?,
            parts: counter("partway_exported_parts_total", "Parts in saved slices")?,
            slices: register(&registry, Histogram::with_opts(slices)?)?,
            retries: counter("partway_retries_total", "Steps that failed and are retried")?,
            starts_over: counter("partway_exports_restarted_total", "Exports that started over")?,
            streams: counters(
                "partway_streams_total",
                "Dumps that were streamed; damaged: rows are missing",
                &["database", "end"],
            )?,
            stream_bytes: counter("partway_streamed_bytes_total", "Bytes of streamed dumps")?,
            requests: counters(
                "partway_http_requests_total",
                "Requests that were answered",
                &["route", "method", "status"],
            )?,
            request_seconds: register(
                &registry,
                HistogramVec::new(seconds, &["route", "method"])?,
            )?,
            open_downloads: gauge("partway_downloads_open", "Objects that are being downloaded")?,
            open_streams: gauge("partway_streams_open", "Dumps that are being streamed")?,
            memory: gauge("process_resident_memory_bytes", "Resident memory")?,
            totals: Mutex::default(),
            rendering: Mutex::default(),
            registry,
        })
    }

    /// Something has happened to an export.
    pub fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        match event {
            JobEvent::Running { totals, .. } => {
                self.totals().insert(id.clone(), (*totals).clone());
            }
            JobEvent::Slice(totals) => {
                let before =
                    self.totals().insert(id.clone(), (*totals).clone()).unwrap_or_default();
                self.rows.inc_by(totals.rows.saturating_sub(before.rows));
                self.bytes.inc_by(totals.bytes.saturating_sub(before.bytes));
                self.parts.inc_by(totals.parts.saturating_sub(before.parts).into());
                self.slices.observe((totals.seconds - before.seconds).max(0.0));
            }
            JobEvent::StartingOver { .. } => {
                self.totals().remove(id);
                self.starts_over.inc();
            }
            JobEvent::Retrying { .. } => self.retries.inc(),
            JobEvent::Finished => {
                self.totals().remove(id);
            }
            _ => {}
        }
    }

    /// A request was answered.
    pub fn request_answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    /// What could not be read as a request was refused.
    pub fn request_refused(&self, status: u16) {
        self.requests.with_label_values(&["none", "other", &status.to_string()]).inc();
    }

    /// A part of a dump was streamed.
    pub fn part_streamed(&self, bytes: usize) {
        self.stream_bytes.inc_by(bytes as u64);
    }

    /// Dumps of these databases may be streamed: what has not happened yet is a zero, and not missing.
    pub fn expect_streams<'a>(&self, databases: impl Iterator<Item = &'a str>) {
        for database in databases {
            for end in StreamEnd::ALL {
                self.streams.with_label_values(&[database, end.label()]);
            }
        }
    }

    /// A streamed dump has ended.
    pub fn stream_ended(&self, database: &str, end: StreamEnd) {
        self.streams.with_label_values(&[database, end.label()]).inc();
    }

    /// All of it, with these numbers of what is going on right now.
    ///
    /// # Errors
    ///
    /// None that are known: the registry has refused everything that can't be written.
    pub fn render(&self, current: &CurrentNumbers<'_>) -> prometheus::Result<String> {
        // One at a time: what is saved is set anew for each.
        let _turn = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        self.open_streams.set(gauge_value(current.streams));
        self.open_downloads.set(gauge_value(current.downloads));
        if let Some(unfinished) = &current.unfinished {
            for state in UNFINISHED {
                let count = unfinished.get(&state).copied().unwrap_or_default();
                self.unfinished.with_label_values(&[state.as_str()]).set(count);
            }
        }
        for (database, saved) in &current.saved {
            self.databases.set_saved(database, saved);
        }
        self.memory.set(resident_memory().unwrap_or_default());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<JobId, Totals>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers a metric, which shares its value with the one that is returned.
pub fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    one: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(one.clone()))?;
    Ok(one)
}

fn gauge_value(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The resident memory of this process, in bytes, where the system has Linux' /proc.
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}
