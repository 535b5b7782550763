//! `GET /export/status/{id}`: the status of an export, as clients see it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Callback, Clock, JobObject, JobRecord, JobState, SystemClock};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use super::id::Id;
use crate::http::error::{ApiError, CommonErrors, ErrorBody};
use crate::http::response::{ResultBody, result};
use crate::paths::{download_url, status_url, table_download_url};
use crate::state::ServiceState;
use crate::state::error::ExportError;
use crate::state::export_state::ExportState;
use crate::state::running::ProgressSnapshot;

/// The status of an export.
#[utoipa::path(
    get,
    path = "/export/status/{id}",
    operation_id = "status",
    params(Id),
    responses(
        CommonErrors,
        (status = 200, description = "The status", body = ResultBody<Status>),
        (status = 404, description = "There is no such export", body = ErrorBody),
    )
)]
pub async fn get(State(state): State<Arc<ServiceState>>, Id(id): Id) -> Result<Response, ApiError> {
    Ok(result(StatusCode::OK, &current(&state, &id).await?))
}

/// The present status of an export.
///
/// # Errors
///
/// If there is no such export, and those of the job store.
pub async fn current(state: &ServiceState, id: &str) -> Result<Status, ExportError> {
    let (exports, record, database) = state.export(id).await?;
    let progress = exports.running.progress(&record.id);
    let callback = exports.callback(&record.id).await?;
    let objects = match record.state {
        JobState::Done => exports.objects(&record).await?,
        _ => Vec::new(),
    };
    let status = Status::of(&record, database, progress, SystemClock.now());
    Ok(status.with_objects(objects).with_callback(callback))
}

/// An export that was requested.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    #[schema(pattern = "^[0-9a-f]{16}$")]
    export_id: String,
    status: ExportState,
    /// A path of this service, as is the next field.
    status_url: String,
    download_url: String,
}

impl Accepted {
    pub fn of(record: &JobRecord) -> Self {
        let id = record.id.as_str();
        Self {
            export_id: id.to_owned(),
            status: ExportState::of(record),
            status_url: status_url(id),
            download_url: download_url(id),
        }
    }
}

/// How many are done, and how many are expected.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    done: u64,
    expected: u64,
}

/// The status of an export.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    #[serde(flatten)]
    accepted: Accepted,
    database: String,
    format: String,
    /// The object's name, once it is known.
    #[schema(required)]
    name: Option<String>,
    /// Where the object is, once it is complete.
    #[schema(required)]
    location: Option<String>,
    /// Of the object that has the name: of an export of one object for each table, the manifest.
    #[schema(required)]
    sha256: Option<String>,
    tables: Progress,
    /// `expected` is an estimate until the export is done.
    rows: Progress,
    /// Which share of it is done, from 0 to 1, estimated until it is done. Null while nobody knows.
    #[schema(required, minimum = 0, maximum = 1)]
    progress: Option<f64>,
    /// Of the object, or of the objects of all tables, as far as they are written.
    bytes: u64,
    parts: u64,
    slices: u32,
    bytes_per_second: f64,
    /// Estimated from what is done since it started, or resumed, in this process.
    #[schema(required)]
    expected_end: Option<Timestamp>,
    created_at: Timestamp,
    /// When its state was last saved.
    moved_at: Timestamp,
    #[schema(required)]
    finished_at: Option<Timestamp>,
    /// When a failed step is retried.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    /// Failures since its last progress.
    attempts: u32,
    #[schema(required)]
    error: Option<String>,
    warnings: Vec<String>,
    /// Tables that could not be read to the end: the database is damaged, and the object `incomplete`.
    damaged: Vec<String>,
    /// The objects of an export that has made one for each table; not there for others. The export's own object is their
    /// manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    objects: Vec<TableObject>,
    /// Whether a schedule started it, rather than a client.
    scheduled: bool,
    /// When its object was deleted.
    #[schema(required)]
    pruned_at: Option<Timestamp>,
    /// The callback that reports its end, if it has one.
    #[schema(required)]
    callback: Option<CallbackStatus>,
}

/// The object of a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TableObject {
    table: String,
    name: String,
    bytes: u64,
    rows: u64,
    sha256: String,
    download_url: String,
}

/// The status of a callback.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallbackStatus {
    /// Scheme, host and port of its URL: the rest may be a secret.
    host: String,
    /// How often it has been sent.
    attempts: u32,
    #[schema(required)]
    delivered_at: Option<Timestamp>,
    /// When it is sent next. Null if it was delivered or given up, or if the export has not ended.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    #[schema(required)]
    error: Option<String>,
}

impl Status {
    /// Of a job of this database, with its progress where it runs in this process.
    pub fn of(
        record: &JobRecord,
        database: &str,
        progress: Option<ProgressSnapshot>,
        now: Timestamp,
    ) -> Self {
        let totals = &record.totals;
        let is_finished = record.state.is_finished();
        let progress = progress.filter(|_| !is_finished);
        let rows = progress.map_or(totals.rows, |progress| progress.done.rows.max(totals.rows));
        let average = if totals.seconds > 0.0 { totals.bytes as f64 / totals.seconds } else { 0.0 };
        let rate = match progress {
            Some(progress) => progress.bytes_per_second,
            None if is_finished => average,
            None => 0.0,
        };
        let saved = totals.work_done();
        let done =
            progress.map(|progress| progress.done).filter(|done| done.weight >= saved.weight);
        let expected = record.expected();
        Self {
            accepted: Accepted::of(record),
            database: database.to_owned(),
            format: record.request.format.clone(),
            name: record.object.clone(),
            location: record.location.clone(),
            sha256: record.sha256.clone(),
            tables: Progress { done: totals.tables.into(), expected: expected.tables.into() },
            rows: Progress { done: rows, expected: expected.rows.max(rows) },
            progress: record
                .share(done.unwrap_or(saved))
                .map(|share| (share * 1000.0).floor() / 1000.0),
            bytes: progress.map_or(totals.bytes, |progress| progress.bytes.max(totals.bytes)),
            parts: progress.map_or(0, |progress| progress.parts).max(totals.parts.into()),
            slices: totals.slices,
            bytes_per_second: rate.round(),
            expected_end: progress.and_then(|progress| {
                let left = SignedDuration::from_secs_f64(seconds_left(record, &progress)?);
                now.checked_add(left).ok()
            }),
            created_at: record.created_at,
            moved_at: record.moved_at,
            finished_at: record.finished_at,
            next_try_at: record.wake_at.filter(|at| record.attempts > 0 && *at > now),
            attempts: record.attempts,
            error: record.last_error.clone(),
            warnings: totals.warnings.clone(),
            damaged: totals.damaged.clone(),
            objects: Vec::new(),
            scheduled: record.schedule.is_some(),
            pruned_at: record.pruned_at,
            callback: None,
        }
    }

    /// Whether the export has ended.
    pub fn is_finished(&self) -> bool {
        self.finished_at.is_some()
    }

    /// With the objects of its tables.
    #[must_use]
    pub fn with_objects(mut self, objects: Vec<JobObject>) -> Self {
        let id = &self.accepted.export_id;
        let of_tables = objects.into_iter().filter_map(|object| {
            let JobObject { table, name, bytes, rows, sha256, .. } = object;
            let table = table?;
            let download_url = table_download_url(id, &table);
            Some(TableObject { table, name, bytes, rows, sha256, download_url })
        });
        self.objects = of_tables.collect();
        self
    }

    /// With the status of its callback.
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

/// How long an export will still take, in seconds; none while that can't be estimated.
fn seconds_left(record: &JobRecord, progress: &ProgressSnapshot) -> Option<f64> {
    let share = record.share(progress.done)?;
    let added = share - record.share(progress.first)?;
    let seconds = progress.seconds * (1.0 - share) / added;
    // More than a year, and NaN, tell nothing.
    (0.0..366.0 * 86_400.0).contains(&seconds).then_some(seconds)
}

/// When to ask for the status of an unfinished export again, in seconds.
pub fn retry_after(record: &JobRecord, progress: Option<ProgressSnapshot>) -> u64 {
    let left = progress.and_then(|progress| seconds_left(record, &progress));
    left.map_or(2, |seconds| seconds.ceil() as u64).clamp(1, 30)
}
