//! `partway jobs show`.

use std::io::{self, Write};

use bytesize::ByteSize;
use jiff::Timestamp;
use partway_jobs::{Clock, JobRecord, SystemClock};
use tabwriter::TabWriter;

use super::elapsed::time_and_age;
use super::view::{JobView, done, shown_state};
use crate::failure::Failure;
use crate::output::{check_written, print};

/// Shows everything about a job.
pub fn show(record: &JobRecord, json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    if json {
        let view = JobView::of(record, now);
        return Ok(print(&serde_json::to_string(&view).map_err(anyhow::Error::from)?)?);
    }
    let mut table = TabWriter::new(io::stdout()).padding(2);
    let mut write = || -> io::Result<()> {
        for (name, value) in what_it_exports(record, now).iter().chain(&how_it_went(record, now)) {
            if let Some(value) = value {
                writeln!(table, "{name}\t{value}")?;
            }
        }
        table.flush()
    };
    Ok(check_written(write())?)
}

/// A line of the table, unless it has no value.
type Line = (&'static str, Option<String>);

fn what_it_exports(record: &JobRecord, now: Timestamp) -> Vec<Line> {
    let (totals, expected) = (&record.totals, record.expected());
    let is_finished = record.state.is_finished();
    let of = |done: u64, all: u64, word: &str| {
        let all =
            if is_finished || all <= done { String::new() } else { format!(" of {word}{all}") };
        Some(format!("{done}{all}"))
    };
    let share = record.share(totals.work_done()).filter(|_| !is_finished);
    let percent = share.map(|share| format!(", about {:.0} %", (share * 100.0).floor()));
    let parts = |size: u32| format!("{} of {} each", totals.parts, ByteSize::b(size.into()));
    vec![
        ("job", Some(record.id.to_string())),
        ("state", Some(shown_state(record, now).to_owned())),
        ("database", Some(record.request.database.display().to_string())),
        ("store", Some(record.store.clone())),
        ("object", record.location.clone().or_else(|| record.object.clone())),
        ("done", Some(done(record) + &percent.unwrap_or_default())),
        ("tables", of(totals.tables.into(), expected.tables.into(), "")),
        ("rows", of(totals.rows, expected.rows, "about ")),
        ("parts", record.part_size.map(parts)),
        ("slices", Some(format!("{}, {:.1} s", totals.slices, totals.seconds))),
        ("sha256", record.sha256.clone()),
    ]
}

fn how_it_went(record: &JobRecord, now: Timestamp) -> Vec<Line> {
    let retries = || format!("{} of {}", record.attempts, record.request.pace.retries);
    let next_step = record.wake_at.filter(|at| *at > now);
    let damaged = &record.totals.damaged;
    let warnings = record.totals.warnings.iter().map(|warning| ("warning", Some(warning.clone())));
    let lines = vec![
        ("starts", (record.starts > 1).then(|| record.starts.to_string())),
        ("retries", (record.attempts > 0).then(retries)),
        ("next step", next_step.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())),
        ("created", Some(time_and_age(now, record.created_at))),
        ("last progress", Some(time_and_age(now, record.moved_at))),
        ("finished", record.finished_at.map(|time| time_and_age(now, time))),
        ("error", record.last_error.clone()),
        ("damaged", (!damaged.is_empty()).then(|| damaged.join("; "))),
    ];
    lines.into_iter().chain(warnings).collect()
}
