//! How an export is doing, as clients are told.

use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Callback, JobRecord, JobState};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use crate::live::Pulse;

/// The paths that lead on to an export.
pub fn status_url(id: &str) -> String {
    format!("/export/status/{id}")
}

pub fn download_url(id: &str) -> String {
    format!("/export/download/{id}")
}

/// What a client is told at once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    #[schema(pattern = "^[0-9a-f]{16}$")]
    export_id: String,
    status: JobState,
    /// A path of this service, as the next one is.
    status_url: String,
    download_url: String,
}

impl Accepted {
    pub fn of(record: &JobRecord) -> Self {
        let id = record.id.as_str();
        Self {
            export_id: id.to_owned(),
            status: record.state,
            status_url: status_url(id),
            download_url: download_url(id),
        }
    }
}

/// So many, of so many that are expected.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    done: u64,
    expected: u64,
}

/// All there is to tell of an export.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    #[serde(flatten)]
    accepted: Accepted,
    database: String,
    format: String,
    /// The object's name, once it has one.
    #[schema(required)]
    name: Option<String>,
    /// Where the object is, once it is there.
    #[schema(required)]
    location: Option<String>,
    #[schema(required)]
    sha256: Option<String>,
    tables: Progress,
    /// What is expected is an estimate.
    rows: Progress,
    bytes: u64,
    parts: u64,
    slices: u32,
    bytes_per_second: f64,
    /// By the rows that are left, at the present rate.
    #[schema(required)]
    expected_end: Option<Timestamp>,
    created_at: Timestamp,
    moved_at: Timestamp,
    #[schema(required)]
    finished_at: Option<Timestamp>,
    /// When what has failed is tried again.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    /// Failures since it last moved.
    attempts: u32,
    #[schema(required)]
    error: Option<String>,
    warnings: Vec<String>,
    /// Tables that could not be read to their end.
    damaged: Vec<String>,
    /// Whether a schedule has made it, and nobody asked.
    scheduled: bool,
    /// When its object was deleted.
    #[schema(required)]
    pruned_at: Option<Timestamp>,
    /// What is called when it has ended.
    #[schema(required)]
    callback: Option<CallbackStatus>,
}

/// How a callback is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallbackStatus {
    /// Scheme and host of its URL: the rest may be a secret.
    host: String,
    /// How often it was sent.
    attempts: u32,
    #[schema(required)]
    delivered_at: Option<Timestamp>,
    /// When it is sent again; none, without having been delivered: it was given up.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    #[schema(required)]
    error: Option<String>,
}

impl Status {
    /// Of a job of this database, which may run in this process.
    pub fn of(record: &JobRecord, database: &str, pulse: Option<Pulse>, now: Timestamp) -> Self {
        let totals = &record.totals;
        let is_finished = record.state.is_finished();
        let pulse = pulse.filter(|_| !is_finished);
        let rows = pulse.map_or(totals.rows, |pulse| pulse.rows.max(totals.rows));
        let whole = if totals.seconds > 0.0 { totals.bytes as f64 / totals.seconds } else { 0.0 };
        let rate = match pulse {
            Some(pulse) => pulse.bytes_per_second,
            None if is_finished => whole,
            None => 0.0,
        };
        // What was expected is an estimate; where all is there, it is known.
        let is_whole = record.state == JobState::Done && totals.damaged.is_empty();
        let expected = |done: u64, expected: u64| if is_whole { done } else { expected.max(done) };
        Self {
            accepted: Accepted::of(record),
            database: database.to_owned(),
            format: record.request.format.clone(),
            name: record.object.clone(),
            location: record.location.clone(),
            sha256: record.sha256.clone(),
            tables: Progress {
                done: totals.tables.into(),
                expected: expected(totals.tables.into(), record.expected.tables.into()),
            },
            rows: Progress { done: rows, expected: expected(rows, record.expected.rows) },
            bytes: pulse.map_or(totals.bytes, |pulse| pulse.bytes.max(totals.bytes)),
            parts: pulse.map_or(0, |pulse| pulse.parts).max(totals.parts.into()),
            slices: totals.slices,
            bytes_per_second: rate.round(),
            expected_end: pulse.and_then(|pulse| {
                now.checked_add(SignedDuration::from_secs_f64(seconds_left(record, &pulse)?)).ok()
            }),
            created_at: record.created_at,
            moved_at: record.moved_at,
            finished_at: record.finished_at,
            next_try_at: record.wake_at.filter(|at| record.attempts > 0 && *at > now),
            attempts: record.attempts,
            error: record.last_error.clone(),
            warnings: totals.warnings.clone(),
            damaged: totals.damaged.clone(),
            scheduled: record.is_scheduled,
            pruned_at: record.pruned_at,
            callback: None,
        }
    }

    /// With what is called when it has ended.
    #[must_use]
    pub fn with_callback(mut self, callback: Option<Callback>) -> Self {
        self.callback = callback.map(|callback| CallbackStatus {
            host: Url::parse(&callback.url)
                .map(|url| url.origin().ascii_serialization())
                .unwrap_or_default(),
            attempts: callback.attempts,
            delivered_at: callback.delivered_at,
            next_try_at: callback.next_at.filter(|_| self.finished_at.is_some()),
            error: callback.last_error,
        });
        self
    }
}

/// How long an export takes still, in seconds; none while that can't be told.
pub fn seconds_left(record: &JobRecord, pulse: &Pulse) -> Option<f64> {
    // An estimate that was too low grows, as the progress bar's does.
    let expected = record.expected.rows.max(pulse.rows + pulse.rows / 20 + 1);
    let seconds = (expected - pulse.rows) as f64 / pulse.rows_per_second;
    // A year is as good as never, and what is not a number stays out.
    (0.0..366.0 * 86_400.0).contains(&seconds).then_some(seconds)
}

/// When to ask again for an unfinished export, in seconds.
pub fn retry_after(record: &JobRecord, pulse: Option<Pulse>) -> u64 {
    let left = pulse.and_then(|pulse| seconds_left(record, &pulse));
    left.map_or(2, |seconds| seconds.ceil() as u64).clamp(1, 30)
}
