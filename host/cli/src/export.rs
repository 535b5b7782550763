//! `partway export`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use partway_jobs::{
    Admission, Clock, ExportRequest, JobId, JobState, JobStore, Pace, PrebuiltResources, Resources,
    StepOutcome, SystemClock, Worker, object_set_name, reads_pages,
};
use partway_sqlite::Snapshot;
use partway_store::{StoreAddress, part_size};
use partway_wasmtime::exporter::Exporter;
use tokio_util::sync::CancellationToken;

use crate::arguments::ExportArguments;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::message;
use crate::redact::redacting_component;
use crate::report::report;
use crate::run_job::{ResumeHint, run_to_end};
use crate::signals::listen;
use crate::standard_output;
use crate::state_folder::state_folder;

/// Runs the command.
pub async fn run(arguments: ExportArguments) -> Result<(), Failure> {
    if let Some(misplaced) = arguments.misplaced() {
        return Err(Failure::usage(anyhow!(misplaced)));
    }
    if let (true, Some(name)) = (arguments.each_table, &arguments.name) {
        object_set_name(name)
            .map_err(|error| Failure::usage(anyhow!("the name {name:?} can't be used: {error}")))?;
    }
    let resources = PrebuiltResources::default();
    let resources = Arc::new(resources);
    if arguments.redact.is_some() && reads_pages(&arguments.format) {
        return Err(Failure::usage(anyhow!(
            "--format {} is the database file itself, with everything in it: it can't go with --redact",
            arguments.format
        )));
    }
    let redacting = match &arguments.redact {
        Some(policy) => {
            Some(redacting_component(policy, &arguments.format, arguments.component.as_deref())?)
        }
        None => None,
    };
    let Some(address) = &arguments.to else {
        let exporter = match &redacting {
            Some(component) => Exporter::new(component),
            None => resources.exporter(&arguments.format, arguments.component.as_deref()),
        };
        let exporter = exporter.with_context(|| unusable_component(&arguments))?;
        return standard_output::export(&arguments, exporter).await;
    };
    let mut request = request(&arguments, address)?;
    let jobs = JobStore::open(&state_folder(arguments.state.as_deref())?)?;
    let kept = redacting.map(|component| jobs.keep_component(&component)).transpose()?;
    if let Some(file) = &kept {
        // Another policy is another component: a job that began with the old one starts over.
        request.component = Some(absolute(file));
    }
    let worker = Worker::new(jobs, resources, Console::default())?;
    let stop = listen();
    let id = admitted(&worker, &request, arguments.concurrent, &stop).await?;
    let hint = ResumeHint { state: arguments.state.as_deref(), by_same_command: true };
    let record = run_to_end(&worker, &id, &stop, &hint).await?;
    if let Some(file) = &kept {
        worker.jobs().forget_component(&absolute(file))?;
    }
    Ok(report(&record, arguments.json)?)
}

/// The export that the arguments ask for. What can be refused at once is refused here.
fn request(arguments: &ExportArguments, address: &StoreAddress) -> Result<ExportRequest, Failure> {
    let held = Snapshot::hold(&arguments.database)?
        .with_pages(reads_pages(&arguments.format))
        .with_filters(&arguments.conditions)
        .map_err(Failure::usage)?;
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
        encoding: arguments.encoding.encoding()?,
        manifest: !arguments.no_manifest,
        each_table: arguments.each_table,
        filters: arguments.conditions.clone(),
        component: component.map(|path| absolute(path)),
        part_size: arguments.part_size,
        snapshot: arguments.snapshot.into(),
        max_loaded_row: arguments.max_loaded_row,
        on_change: arguments.on_change.into(),
        pace: Pace {
            slice_parts: arguments.slice_parts,
            slice_time: arguments.slice_time,
            pause: arguments.pause,
            retries: arguments.retries,
        },
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The job for a request: a new one, or an interrupted one to resume.
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
                    message!(
                        "starting over: {} was not finished, and was started with other options",
                        old.object.as_deref().unwrap_or_default()
                    );
                }
                jobs.request_cancel(&id, SystemClock.now())?;
                match worker.run(&id, stop).await? {
                    StepOutcome::Finished(..) => {}
                    StepOutcome::Stopped(_) => {
                        return Err(Failure::Interrupted(
                            "interrupted before the export began".to_owned(),
                        ));
                    }
                    _ => {
                        return Err(anyhow!("another process is already running job {id}").into());
                    }
                }
            }
        }
    }
}

fn unusable_component(arguments: &ExportArguments) -> String {
    match &arguments.component {
        Some(file) => format!("{} can't be used for an export", file.display()),
        None => "the component inside the program can't be used".to_owned(),
    }
}
