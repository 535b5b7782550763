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
    /// Incomplete: the export failed.
    Failed,
    /// Incomplete: the client has gone, or the service is stopping.
    BrokenOff,
}

/// What is going on right now, and is not counted event by event.
pub struct CurrentNumbers {
    /// Dumps that are being streamed.
    pub streams: usize,
    /// Objects that are being downloaded.
    pub downloads: usize,
    /// Unfinished exports by state; none without a store.
    pub unfinished: Option<HashMap<JobState, i64>>,
}

/// All counters and gauges. Their labels have few values, whatever clients ask for.
pub struct Metrics {
    registry: Registry,
    exports: IntCounterVec,
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
        let metrics = Self::register_all(registry)?;
        // What has not happened yet is a zero, and not missing.
        for state in [JobState::Done, JobState::Failed, JobState::Cancelled] {
            metrics.exports.with_label_values(&[state.as_str()]);
        }
        for end in ["done", "failed", "broken_off"] {
            metrics.streams.with_label_values(&[end]);
        }
        Ok(metrics)
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
            exports: counters(
                "partway_exports_total",
                "Exports that ended in this process",
                &["state"],
            )?,
            unfinished: gauges("partway_exports_unfinished", "Unfinished exports", &["state"])?,
            rows: counter("partway_exported_rows_total", "Rows in saved slices")?,
            bytes: counter("partway_exported_bytes_total", "Bytes in saved slices")?,
            parts: counter("partway_exported_parts_total", "Parts in saved slices")?,
            slices: register(&registry, Histogram::with_opts(slices)?)?,
            retries: counter("partway_retries_total", "Steps that failed and are retried")?,
            starts_over: counter("partway_exports_restarted_total", "Exports that started over")?,
            streams: counters("partway_streams_total", "Dumps that were streamed", &["end"])?,
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
            JobEvent::Ended(record) => {
                self.exports.with_label_values(&[record.state.as_str()]).inc();
            }
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

    /// A part of a dump was streamed.
    pub fn part_streamed(&self, bytes: usize) {
        self.stream_bytes.inc_by(bytes as u64);
    }

    /// A streamed dump has ended.
    pub fn stream_ended(&self, end: StreamEnd) {
        let label = match end {
            StreamEnd::Done => "done",
            StreamEnd::Failed => "failed",
            StreamEnd::BrokenOff => "broken_off",
        };
        self.streams.with_label_values(&[label]).inc();
    }

    /// All of it, with these numbers of what is going on right now.
    ///
    /// # Errors
    ///
    /// None that are known: the registry has refused everything that can't be written.
    pub fn render(&self, current: &CurrentNumbers) -> prometheus::Result<String> {
        self.open_streams.set(gauge_value(current.streams));
        self.open_downloads.set(gauge_value(current.downloads));
        if let Some(unfinished) = &current.unfinished {
            for state in UNFINISHED {
                let count = unfinished.get(&state).copied().unwrap_or_default();
                self.unfinished.with_label_values(&[state.as_str()]).set(count);
            }
        }
        self.memory.set(resident_memory().unwrap_or_default());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<JobId, Totals>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, one: C) -> prometheus::Result<C> {
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
