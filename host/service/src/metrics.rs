//! What the service counts and measures, for Prometheus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use partway_jobs::{JobEvent, JobId, JobState, Totals};
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TEXT_FORMAT, TextEncoder,
};
use tokio::task::spawn_blocking;

use crate::answer::Refusal;
use crate::document::Guarded;
use crate::service::Service;

/// Upper ends for the seconds that answers take, to their heads.
const ANSWERS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Upper ends for the seconds that slices take.
const SLICES: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// States in which a job is not finished.
const UNFINISHED: [JobState; 5] = [
    JobState::Waiting,
    JobState::Running,
    JobState::Completing,
    JobState::Failing,
    JobState::Cancelling,
];

/// How a dump that was streamed has ended.
#[derive(Debug, Clone, Copy)]
pub enum StreamEnd {
    /// Whole.
    Done,
    /// Not whole, by the service's doing.
    Failed,
    /// Not whole: its client has gone, or the service is being stopped.
    BrokenOff,
}

/// All that is counted and measured. What it is kept apart by has few values, whatever clients ask for.
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
    answers: HistogramVec,
    downloads_open: IntGauge,
    streams_open: IntGauge,
    memory: IntGauge,
    /// How far the jobs were when last heard of.
    known: Mutex<HashMap<JobId, Totals>>,
}

impl Metrics {
    /// With nothing counted yet.
    ///
    /// # Errors
    ///
    /// Where two had the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let registry = &registry;
        let slices =
            HistogramOpts::new("partway_slice_seconds", "How long slices took, with their uploads")
                .buckets(SLICES.to_vec());
        let answers = HistogramOpts::new(
            "partway_http_request_duration_seconds",
            "How long requests took, to the head of the answer",
        );
        let count = |name, help| register(registry, IntCounter::new(name, help)?);
        let counts = |name, help, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| register(registry, IntGauge::new(name, help)?);
        let gauges = |name, help, labels: &[&str]| {
            register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let metrics = Self {
            exports: counts("partway_exports_total", "Exports that have ended here", &["state"])?,
            unfinished: gauges(
                "partway_exports_unfinished",
                "Exports that have not ended",
                &["state"],
            )?,
            rows: count("partway_exported_rows_total", "Rows in slices that are saved")?,
            bytes: count("partway_exported_bytes_total", "Bytes in slices that are saved")?,
            parts: count("partway_exported_parts_total", "Parts in slices that are saved")?,
            slices: register(registry, Histogram::with_opts(slices)?)?,
            retries: count("partway_retries_total", "Steps that have failed and are tried again")?,
            starts_over: count("partway_exports_restarted_total", "Exports that were begun anew")?,
            streams: counts("partway_streams_total", "Dumps that were streamed", &["end"])?,
            stream_bytes: count(
                "partway_streamed_bytes_total",
                "Bytes of dumps that were streamed",
            )?,
            requests: counts(
                "partway_http_requests_total",
                "Requests that were answered",
                &["route", "method", "status"],
            )?,
            answers: register(
                registry,
                HistogramVec::new(answers.buckets(ANSWERS.to_vec()), &["route", "method"])?,
            )?,
            downloads_open: gauge("partway_downloads_open", "Objects that are being downloaded")?,
            streams_open: gauge("partway_streams_open", "Dumps that are being streamed")?,
            memory: gauge("process_resident_memory_bytes", "Memory that is in use")?,
            known: Mutex::default(),
            registry: registry.clone(),
        };
        let started = gauge_of_seconds(registry)?;
        started.set(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64());
        let build = gauges("partway_build_info", "The program's version", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        // What has not happened yet is a zero, and not missing.
        for state in [JobState::Done, JobState::Failed, JobState::Cancelled] {
            metrics.exports.with_label_values(&[state.as_str()]);
        }
        for end in ["done", "failed", "broken_off"] {
            metrics.streams.with_label_values(&[end]);
        }
        Ok(metrics)
    }

    /// Something has happened to an export.
    pub fn event(&self, id: &JobId, event: &JobEvent<'_>) {
        match event {
            JobEvent::Running { totals, .. } => {
                self.known().insert(id.clone(), (*totals).clone());
            }
            JobEvent::Slice(totals) => {
                let before = self.known().insert(id.clone(), (*totals).clone()).unwrap_or_default();
                self.rows.inc_by(totals.rows.saturating_sub(before.rows));
                self.bytes.inc_by(totals.bytes.saturating_sub(before.bytes));
                self.parts.inc_by(totals.parts.saturating_sub(before.parts).into());
                self.slices.observe((totals.seconds - before.seconds).max(0.0));
            }
            JobEvent::StartingOver { .. } => {
                self.known().remove(id);
                self.starts_over.inc();
            }
            JobEvent::Retrying { .. } => self.retries.inc(),
            JobEvent::Ended(record) => {
                self.exports.with_label_values(&[record.state.as_str()]).inc();
            }
            JobEvent::Finished => {
                self.known().remove(id);
            }
            _ => {}
        }
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.answers.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    /// Some of a dump that is streamed.
    pub fn streamed(&self, bytes: usize) {
        self.stream_bytes.inc_by(bytes as u64);
    }

    /// A dump that was streamed has ended.
    pub fn stream_ended(&self, end: StreamEnd) {
        let word = match end {
            StreamEnd::Done => "done",
            StreamEnd::Failed => "failed",
            StreamEnd::BrokenOff => "broken_off",
        };
        self.streams.with_label_values(&[word]).inc();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<JobId, Totals>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, one: C) -> prometheus::Result<C> {
    registry.register(Box::new(one.clone()))?;
    Ok(one)
}

fn gauge_of_seconds(registry: &Registry) -> prometheus::Result<Gauge> {
    register(
        registry,
        Gauge::new("process_start_time_seconds", "When the program was started, since 1970")?,
    )
}

/// Counts and measures, in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses(
        Guarded,
        (status = 200, description = "Counts and measures, in Prometheus' text format", body = String, content_type = "text/plain"),
    )
)]
pub async fn get(State(service): State<Arc<Service>>) -> Result<impl IntoResponse, Refusal> {
    let Service { metrics, exports, streams, most_streams, .. } = &*service;
    metrics.streams_open.set(most_streams.saturating_sub(streams.available_permits()) as i64);
    if let Some(exports) = exports {
        let free = exports.downloads.available_permits();
        metrics.downloads_open.set(exports.most_downloads.saturating_sub(free) as i64);
        let jobs = exports.worker.jobs().clone();
        let counted: HashMap<_, _> =
            spawn_blocking(move || jobs.count_unfinished()).await??.into_iter().collect();
        for state in UNFINISHED {
            let count = counted.get(&state).copied().unwrap_or_default();
            metrics.unfinished.with_label_values(&[state.as_str()]).set(count);
        }
    }
    metrics.memory.set(memory().unwrap_or_default());
    let text = TextEncoder::new().encode_to_string(&metrics.registry.gather());
    let text = text.map_err(|error| Refusal::failed(format!("no metrics: {error}")))?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text))
}

/// The memory that this process has in use, in bytes, where the system tells it as Linux does.
fn memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}
