//! `partway export`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use etcetera::BaseStrategy;
use partway_jobs::{
    Admission, Clock, ExportRequest, Incomplete, JobId, JobRecord, JobState, JobStore, Pace,
    PrebuiltResources, Resources, StepOutcome, SystemClock, Worker,
};
use partway_sqlite::Snapshot;
use partway_store::{StoreAddress, part_size};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::arguments::ExportArguments;
use crate::console::Console;
use crate::failure::Failure;
use crate::signals::listen;
use crate::standard_output;
use crate::words::{counted, print};

/// Runs the command.
pub async fn run(arguments: ExportArguments) -> Result<(), Failure> {
    let resources = Arc::new(PrebuiltResources::default());
    let Some(address) = &arguments.to else {
        let exporter = resources.exporter(arguments.component.as_deref());
        let exporter = exporter.with_context(|| component_named(&arguments))?;
        return standard_output::export(&arguments, exporter).await;
    };
    let request = request(&arguments, address)?;
    let jobs = JobStore::open(&state_folder(arguments.state.as_deref())?)?;
    let worker = Worker::new(jobs, resources, Console::default())?;
    let stop = listen();
    let id = admitted(&worker, &request, arguments.concurrent, &stop).await?;
    let again = Again { state: arguments.state.as_deref(), is_export: true };
    let record = finish(&worker, &id, &stop, &again).await?;
    Ok(report(&record, arguments.json)?)
}

/// What the arguments ask for. What can be refused at once is refused here.
fn request(arguments: &ExportArguments, address: &StoreAddress) -> Result<ExportRequest, Failure> {
    let held = Snapshot::hold(&arguments.database)?;
    let store = address.open()?;
    part_size(arguments.part_size, held.bytes(), store.limits()).map_err(Failure::usage)?;
    let store = address.absolute();
    let component = arguments.component.as_ref();
    Ok(ExportRequest {
        database: held.path().to_owned(),
        store,
        name: arguments.name.clone(),
        format: arguments.format.clone(),
        tables: arguments.tables.clone(),
        settings: arguments.settings(),
        component: component.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        part_size: arguments.part_size,
        snapshot: arguments.snapshot.into(),
        on_change: arguments.on_change.into(),
        pace: Pace {
            slice_parts: arguments.slice_parts,
            slice_time: arguments.slice_time,
            pause: arguments.pause,
            retries: arguments.retries,
        },
    })
}

/// The job for a request: a new one, or one that was cut off.
async fn admitted(
    worker: &Worker,
    request: &ExportRequest,
    concurrent: bool,
    stop: &CancellationToken,
) -> Result<JobId, Failure> {
    let jobs = worker.jobs();
    loop {
        match worker.admit(request, concurrent)? {
            Admission::New(id) | Admission::Resume(id) => return Ok(id),
            Admission::Replace(id) => {
                let old = jobs.get(&id)?;
                if old.object.is_some() && old.state == JobState::Running {
                    eprintln!(
                        "partway: starting over: {} was not finished, and it was begun with other options",
                        old.object.as_deref().unwrap_or_default()
                    );
                }
                jobs.request_cancel(&id, SystemClock.now())?;
                match worker.run(&id, stop).await? {
                    StepOutcome::Finished(..) => {}
                    StepOutcome::Stopped(_) => {
                        return Err(Failure::Interrupted("interrupted before it began".to_owned()));
                    }
                    _ => {
                        return Err(
                            anyhow!("job {id} is being gone on with by another process").into()
                        );
                    }
                }
            }
        }
    }
}

/// How a job that was interrupted is gone on with.
pub struct Again<'a> {
    /// `--state`.
    pub state: Option<&'a Path>,
    /// Whether the command was an export, which does it as well.
    pub is_export: bool,
}

impl Again<'_> {
    fn command(&self, id: &JobId) -> String {
        let same = if self.is_export { "the same command again does, or " } else { "" };
        let state = match self.state {
            Some(folder) => format!(" --state {}", quoted(folder)),
            None => String::new(),
        };
        format!("{same}partway jobs resume {id}{state}")
    }
}

/// Runs a job to its good end; all other ends are failures.
pub async fn finish(
    worker: &Worker,
    id: &JobId,
    stop: &CancellationToken,
    again: &Again<'_>,
) -> Result<JobRecord, Failure> {
    let reason = |record: &JobRecord| record.last_error.clone().unwrap_or_default();
    match worker.run(id, stop).await? {
        StepOutcome::Finished(record, error) => match record.state {
            JobState::Done => Ok(*record),
            JobState::Cancelled => Err(anyhow!("job {id} was cancelled: {}", left(&record)).into()),
            _ if record.starts == 0 && error.is_some_and(|error| error.is_wrong_request()) => {
                // A slip of the pen is no job to keep.
                worker.jobs().remove(id)?;
                Err(Failure::usage(anyhow!(reason(&record))))
            }
            _ => Err(anyhow!(reason(&record)).into()),
        },
        StepOutcome::Refused(error) => Err(anyhow!("{error}; job {id} was left as it is").into()),
        StepOutcome::Stopped(record) => Err(Failure::Interrupted(format!(
            "interrupted behind {}; to go on from there: {}",
            counted(record.totals.parts.into(), "part"),
            again.command(id)
        ))),
        _ => Err(anyhow!(
            "job {id} is being gone on with by another process: see partway jobs show {id}"
        )
        .into()),
    }
}

/// What a cancelled job has left in the store.
pub fn left(record: &JobRecord) -> String {
    match &record.last_error {
        Some(error) => error.clone(),
        None => "nothing is left in the store".to_owned(),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn component_named(arguments: &ExportArguments) -> String {
    match &arguments.component {
        Some(file) => format!("{} can't be used for an export", file.display()),
        None => "the component inside the program can't be used".to_owned(),
    }
}

/// The folder that jobs are kept in.
pub fn state_folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let folders = etcetera::choose_base_strategy()
        .context("this system has no folder for state: give one by --state")?;
    // Some platforms keep state where they keep data.
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("partway"))
}

/// Says what has come out.
pub fn report(record: &JobRecord, json: bool) -> anyhow::Result<()> {
    let totals = &record.totals;
    let location = record.location.as_deref().unwrap_or_default();
    for warning in &totals.warnings {
        eprintln!("partway: warning: {warning}");
    }
    if json {
        let summary = Summary {
            location,
            bytes: totals.bytes,
            sha256: record.sha256.as_deref().unwrap_or_default(),
            parts: totals.parts,
            slices: totals.slices,
            tables: totals.tables,
            rows: totals.rows,
            seconds: (totals.seconds * 1000.0).round() / 1000.0,
            job: record.id.as_str(),
            damaged: &totals.damaged,
        };
        print(&serde_json::to_string(&summary)?)?;
    } else {
        eprintln!(
            "partway: {} of {} in {} ({}, {}, {:.1} s)",
            counted(totals.rows, "row"),
            counted(totals.tables.into(), "table"),
            bytesize::ByteSize::b(totals.bytes),
            counted(totals.parts.into(), "part"),
            counted(totals.slices.into(), "slice"),
            totals.seconds
        );
        print(location)?;
    }
    if totals.damaged.is_empty() { Ok(()) } else { Err(Incomplete::new(&totals.damaged).into()) }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    location: &'a str,
    bytes: u64,
    sha256: &'a str,
    parts: u32,
    slices: u32,
    tables: u32,
    rows: u64,
    seconds: f64,
    job: &'a str,
    /// Tables of which a part is missing.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    damaged: &'a [String],
}
