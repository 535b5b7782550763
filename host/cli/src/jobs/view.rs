//! A job as it is shown.

use bytesize::ByteSize;
use jiff::Timestamp;
use partway_jobs::{JobRecord, JobState};
use serde::Serialize;

/// A job as `--json` prints it.
#[derive(Serialize)]
pub struct JobView<'a> {
    job: &'a str,
    /// As it is listed.
    state: &'static str,
    /// Which share of it is done, from 0 to 1, as far as that is known.
    progress: Option<f64>,
    /// Whether a process is working on it.
    running: bool,
    /// Whether it has made no progress for an hour.
    stuck: bool,
    database: String,
    store: &'a str,
    object: Option<&'a str>,
    location: Option<&'a str>,
    sha256: Option<&'a str>,
    bytes: u64,
    part_size: Option<u32>,
    parts: u32,
    slices: u32,
    tables: u32,
    tables_expected: u32,
    rows: u64,
    rows_expected: u64,
    seconds: f64,
    warnings: &'a [String],
    damaged: &'a [String],
    starts: u32,
    attempts: u32,
    created_at: Timestamp,
    moved_at: Timestamp,
    finished_at: Option<Timestamp>,
    wake_at: Option<Timestamp>,
    error: Option<&'a str>,
}

impl<'a> JobView<'a> {
    pub fn of(record: &'a JobRecord, now: Timestamp) -> Self {
        let (totals, expected) = (&record.totals, record.expected());
        Self {
            job: record.id.as_str(),
            state: shown_state(record, now),
            progress: record
                .share(totals.work_done())
                .map(|share| (share * 1000.0).floor() / 1000.0),
            running: record.is_held(now),
            stuck: record.is_stuck(now),
            database: record.request.database.display().to_string(),
            store: &record.store,
            object: record.object.as_deref(),
            location: record.location.as_deref(),
            sha256: record.sha256.as_deref(),
            bytes: totals.bytes,
            part_size: record.part_size,
            parts: totals.parts,
            slices: totals.slices,
            tables: totals.tables,
            tables_expected: expected.tables,
            rows: totals.rows,
            rows_expected: expected.rows,
            seconds: totals.seconds,
            warnings: &totals.warnings,
            damaged: &totals.damaged,
            starts: record.starts,
            attempts: record.attempts,
            created_at: record.created_at,
            moved_at: record.moved_at,
            finished_at: record.finished_at,
            wake_at: record.wake_at,
            error: record.last_error.as_deref(),
        }
    }
}

/// The state in one word, for people and programs: what is missing in an object, and that no process is working on a job,
/// matter more than what is to be done next.
pub fn shown_state(record: &JobRecord, now: Timestamp) -> &'static str {
    match record.state {
        JobState::Done if record.incomplete().is_some() => "incomplete",
        state if state.is_finished() => state.as_str(),
        _ if record.is_stuck(now) => "stuck",
        state if record.is_held(now) => state.as_str(),
        JobState::Waiting | JobState::Running | JobState::Completing => "interrupted",
        state => state.as_str(),
    }
}

/// How much of a job is done.
pub fn done(record: &JobRecord) -> String {
    let totals = &record.totals;
    format!("{} rows, {}", totals.rows, ByteSize::b(totals.bytes))
}
