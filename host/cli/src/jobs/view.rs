//! A job as it is shown.

use bytesize::ByteSize;
use jiff::Timestamp;
use partway_jobs::{JobRecord, JobState};
use serde::Serialize;

/// A job as `--json` prints it.
#[derive(Serialize)]
pub struct JobView<'a> {
    job: &'a str,
    state: JobState,
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
        let totals = &record.totals;
        Self {
            job: record.id.as_str(),
            state: record.state,
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
            tables_expected: record.expected.tables.max(totals.tables),
            rows: totals.rows,
            rows_expected: record.expected.rows.max(totals.rows),
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

    /// The state in one word, for people: that no process is working on a job matters more than what is to be
    /// done next.
    pub fn shown_state(&self) -> String {
        if self.stuck {
            return "stuck".to_owned();
        }
        match self.state {
            state if state.is_finished() || self.running => state.to_string(),
            JobState::Waiting | JobState::Running | JobState::Completing => {
                "interrupted".to_owned()
            }
            state => state.to_string(),
        }
    }
}

/// How much of a job is done.
pub fn done(record: &JobRecord) -> String {
    let totals = &record.totals;
    format!("{} rows, {}", totals.rows, ByteSize::b(totals.bytes))
}
