//! `partway jobs`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytesize::ByteSize;
use jiff::{SpanRound, Timestamp, Unit};
use partway_jobs::{
    Clock, JobRecord, JobState, JobStore, PrebuiltResources, Prune, StateError, StepOutcome,
    SystemClock, Worker, prune,
};
use serde::Serialize;
use serde_json::json;
use tabwriter::TabWriter;

use crate::arguments::{JobsCommand, StateArguments};
use crate::console::Console;
use crate::export::{Again, finish, left, report, state_folder};
use crate::failure::Failure;
use crate::signals::listen;
use crate::words::{counted, print, printed};

/// How long a process that is at work on a job may take to notice that it is cancelled.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub async fn run(command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List { json, state } => list(&open(&state)?, json),
        JobsCommand::Show { job, json, state } => show(&found(&open(&state)?, &job)?, json),
        JobsCommand::Cancel { jobs, state } => cancel(open(&state)?, &jobs).await,
        JobsCommand::Resume { jobs, json, state } => {
            resume(open(&state)?, &jobs, json, state.folder.as_deref()).await
        }
        JobsCommand::Prune { stores, finished_for, uploads_older_than, dry_run, json, state } => {
            let what = Prune { stores, finished_for, uploads_older_than, dry_run };
            prune_all(&open(&state)?, &what, json).await
        }
    }
}

fn open(state: &StateArguments) -> Result<JobStore, Failure> {
    Ok(JobStore::open(&state_folder(state.folder.as_deref())?)?)
}

/// The job that somebody means; none that is there is wrong usage.
fn found(jobs: &JobStore, beginning: &str) -> Result<JobRecord, Failure> {
    jobs.find(beginning).map_err(|error| match error {
        StateError::UnknownJob(_) | StateError::AmbiguousJob(_) => Failure::usage(error),
        error => error.into(),
    })
}

fn list(jobs: &JobStore, json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    let records = jobs.list()?;
    if json {
        for record in &records {
            print(&serde_json::to_string(&View::of(record, now)).map_err(anyhow::Error::from)?)?;
        }
        return Ok(());
    }
    if records.is_empty() {
        eprintln!("partway: there are no jobs in {}", jobs.folder().display());
        return Ok(());
    }
    let mut table = TabWriter::new(io::stdout()).padding(2);
    let mut write = || -> io::Result<()> {
        writeln!(table, "JOB\tSTATE\tDATABASE\tOBJECT\tDONE\tMOVED")?;
        for record in &records {
            let view = View::of(record, now);
            writeln!(
                table,
                "{}\t{}\t{}\t{}\t{}\t{}",
                record.id,
                view.shown_state(),
                file_name(&record.request.database),
                record.location.as_deref().or(record.object.as_deref()).unwrap_or("-"),
                done(record),
                ago(now, record.moved_at),
            )?;
        }
        table.flush()
    };
    Ok(printed(write())?)
}

fn show(record: &JobRecord, json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    let view = View::of(record, now);
    if json {
        return Ok(print(&serde_json::to_string(&view).map_err(anyhow::Error::from)?)?);
    }
    let totals = &record.totals;
    let lines = [
        ("job", Some(record.id.to_string())),
        ("state", Some(view.shown_state())),
        ("database", Some(record.request.database.display().to_string())),
        ("store", Some(record.store.clone())),
        ("object", record.location.clone().or_else(|| record.object.clone())),
        ("done", Some(done(record))),
        (
            "tables",
            Some(format!("{} of {}", totals.tables, record.expected.tables.max(totals.tables))),
        ),
        (
            "rows",
            Some(format!("{} of about {}", totals.rows, record.expected.rows.max(totals.rows))),
        ),
        (
            "parts",
            record
                .part_size
                .map(|size| format!("{} of {} each", totals.parts, ByteSize::b(size.into()))),
        ),
        ("slices", Some(format!("{}, {:.1} s", totals.slices, totals.seconds))),
        ("sha256", record.sha256.clone()),
        ("starts", (record.starts > 1).then(|| record.starts.to_string())),
        (
            "retries",
            (record.attempts > 0)
                .then(|| format!("{} of {}", record.attempts, record.request.pace.retries)),
        ),
        (
            "next alarm",
            record
                .wake_at
                .filter(|at| *at > now)
                .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ),
        ("asked for", Some(at(now, record.created_at))),
        ("moved", Some(at(now, record.moved_at))),
        ("finished", record.finished_at.map(|time| at(now, time))),
        ("error", record.last_error.clone()),
    ];
    let mut table = TabWriter::new(io::stdout()).padding(2);
    let mut write = || -> io::Result<()> {
        for (name, value) in &lines {
            if let Some(value) = value {
                writeln!(table, "{name}\t{value}")?;
            }
        }
        table.flush()
    };
    Ok(printed(write())?)
}

async fn cancel(jobs: JobStore, ids: &[String]) -> Result<(), Failure> {
    let records = ids.iter().map(|id| found(&jobs, id)).collect::<Result<Vec<_>, _>>()?;
    let worker = Worker::new(jobs, Arc::new(PrebuiltResources::default()), Console::default())?;
    let stop = listen();
    let mut failed = None;
    for record in records {
        if record.state.is_finished() {
            eprintln!("partway: job {} is {} already", record.id, record.state);
            continue;
        }
        worker.jobs().request_cancel(&record.id, SystemClock.now())?;
        let deadline = SystemClock.now() + PATIENCE;
        let record = loop {
            match worker.run(&record.id, &stop).await? {
                StepOutcome::Finished(record, _) => break *record,
                StepOutcome::Stopped(_) => {
                    return Err(Failure::Interrupted(format!(
                        "interrupted: job {} is cancelled by whoever goes on with it",
                        record.id
                    )));
                }
                StepOutcome::Refused(error) => {
                    return Err(anyhow!("{error}; job {} was left as it is", record.id).into());
                }
                _ if stop.is_cancelled() => {
                    return Err(Failure::Interrupted(format!(
                        "interrupted: job {} is cancelled by the process that is at work on it",
                        record.id
                    )));
                }
                // Who is at work on it looks once a second.
                _ if SystemClock.now() < deadline => {
                    SystemClock.sleep(Duration::from_millis(200)).await
                }
                _ => {
                    return Err(anyhow!(
                        "the process that is at work on job {} does not answer; it cancels the job when it does",
                        record.id
                    )
                    .into());
                }
            }
        };
        match record.state {
            JobState::Cancelled if record.last_error.is_some() => {
                failed = Some(anyhow!("job {} is cancelled, but {}", record.id, left(&record)));
            }
            JobState::Cancelled => eprintln!("partway: job {} is cancelled", record.id),
            JobState::Done => eprintln!(
                "partway: job {} was done already: {}",
                record.id,
                record.location.unwrap_or_default()
            ),
            state => eprintln!("partway: job {} is {state}", record.id),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

async fn resume(
    jobs: JobStore,
    ids: &[String],
    json: bool,
    state: Option<&Path>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let records = if ids.is_empty() {
        let idle = |record: &JobRecord| !record.state.is_finished() && !record.is_held(now);
        let mut records: Vec<_> = jobs.list()?.into_iter().filter(idle).collect();
        records.reverse();
        records
    } else {
        ids.iter().map(|id| found(&jobs, id)).collect::<Result<_, _>>()?
    };
    if records.is_empty() {
        eprintln!("partway: there is nothing to go on with");
    }
    let worker = Worker::new(jobs, Arc::new(PrebuiltResources::default()), Console::default())?;
    let stop = listen();
    let again = Again { state, is_export: false };
    let mut failed = None;
    for record in records {
        let asked = match record.state {
            JobState::Done => Ok(()),
            _ => worker.jobs().request_resume(&record.id, SystemClock.now()),
        };
        if asked.is_ok() && matches!(record.state, JobState::Failed | JobState::Cancelled) {
            eprintln!("partway: job {} was {}, and begins anew", record.id, record.state);
        }
        let finished = match asked {
            Ok(()) => finish(&worker, &record.id, &stop, &again).await,
            Err(error) => Err(error.into()),
        };
        let finished = finished.and_then(|record| Ok(report(&record, json)?));
        match finished {
            Ok(()) => {}
            Err(failure @ Failure::Interrupted(_)) => return Err(failure),
            // The others are gone on with all the same.
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    eprintln!("partway: {earlier}");
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn prune_all(jobs: &JobStore, what: &Prune, json: bool) -> Result<(), Failure> {
    let pruned = prune(jobs, &PrebuiltResources::default(), SystemClock.now(), what).await?;
    if json {
        let told = json!({
            "jobs": pruned.jobs,
            "kept": pruned.kept,
            "uploads": pruned.uploads,
            "dry_run": what.dry_run
        });
        print(&told.to_string())?;
    } else {
        let (forgot, threw) = if what.dry_run {
            ("would forget", "would throw away")
        } else {
            ("forgot", "threw away")
        };
        for upload in &pruned.uploads {
            eprintln!("partway: {threw} the unfinished upload of {upload}");
        }
        if !pruned.kept.is_empty() {
            eprintln!(
                "partway: kept {}, since their stores hold uploads that are too young, or can't be looked into",
                counted(pruned.kept.len() as u64, "failed or cancelled job")
            );
        }
        eprintln!(
            "partway: {forgot} {}, {threw} {}",
            counted(pruned.jobs.len() as u64, "finished job"),
            counted(pruned.uploads.len() as u64, "unfinished upload")
        );
    }
    let failures: Vec<_> = pruned.failures.iter().map(ToString::to_string).collect();
    match failures.as_slice() {
        [] => Ok(()),
        failures => Err(anyhow!("not all could be pruned: {}", failures.join("; ")).into()),
    }
}

/// A job as `--json` prints it.
#[derive(Serialize)]
struct View<'a> {
    job: &'a str,
    state: JobState,
    /// Whether a process is at work on it.
    running: bool,
    /// Whether it has not moved for an hour.
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

impl<'a> View<'a> {
    fn of(record: &'a JobRecord, now: Timestamp) -> Self {
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

    /// The state in a word for people: that nobody is at work on a job matters more than what would be done.
    fn shown_state(&self) -> String {
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

/// How far a job is.
fn done(record: &JobRecord) -> String {
    let totals = &record.totals;
    format!("{} rows, {}", totals.rows, ByteSize::b(totals.bytes))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A time, and how long ago it was.
fn at(now: Timestamp, time: Timestamp) -> String {
    format!("{} ({})", time.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(now, time))
}

fn ago(now: Timestamp, time: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    let span = jiff::Span::new().seconds(seconds);
    let largest = SpanRound::new().largest(Unit::Day).days_are_24_hours();
    let smallest = match seconds {
        ..120 => Unit::Second,
        120..7200 => Unit::Minute,
        7200..172_800 => Unit::Hour,
        _ => Unit::Day,
    };
    match span.round(largest.smallest(smallest)) {
        Ok(span) => format!("{span:#} ago"),
        Err(_) => format!("{seconds}s ago"),
    }
}
