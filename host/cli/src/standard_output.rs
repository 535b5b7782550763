//! An export to standard output: one slice, however long it takes, that can't be resumed.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use anyhow::Context;
use partway_jobs::{Incomplete, UntilStopped, skip_damaged};
use partway_sqlite::Snapshot;
use partway_wasmtime::async_trait;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::exporter::{Budget, ExportError as Error, Options, Outcome};
use partway_wasmtime::parts::Parts;
use partway_wasmtime::{CallError, Counters, PipeCtx, parts};
use tempfile::TempDir;

use crate::arguments::ExportArguments;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::signals::listen;

/// Small, so that the reader gets its first bytes soon.
const PART_SIZE: u32 = 256 * 1024;

/// Writes the whole dump to standard output.
pub async fn export(arguments: &ExportArguments, exporter: Exporter) -> Result<(), Failure> {
    let (snapshot, _copy) = snapshot(arguments)?;
    let stop = listen();
    let mut settings = arguments.settings();
    // What has been written can't be taken back, so damage is skipped from the start.
    if arguments.component.is_none() {
        settings.push(skip_damaged());
    }
    let options = Options {
        format: arguments.format.clone(),
        tables: arguments.tables.clone(),
        part_size: PART_SIZE,
        settings,
    };
    let counters = Arc::new(Counters::default());
    let (read, tables) = (snapshot.clone(), arguments.tables.clone());
    let progress = Progress::of(move || read.expected(&tables), &counters);
    let pacing = UntilStopped(stop);
    let outcome = tokio::task::spawn_blocking(move || {
        let checkpoint = exporter.start(snapshot.clone(), &options)?;
        let ctx =
            PipeCtx::builder().pacing(pacing).counters(counters).build(snapshot, StandardOutput);
        exporter.resume(ctx, &checkpoint, Budget { parts: u32::MAX })
    })
    .await
    .context("the export ended unexpectedly")?;
    drop(progress);
    match outcome {
        Ok(Outcome::Done(summary)) => {
            for warning in summary.warnings {
                eprintln!("partway: warning: {warning}");
            }
            io::stdout().flush().context("can't write to standard output")?;
            if summary.damaged.is_empty() {
                Ok(())
            } else {
                Err(Incomplete::new(&summary.damaged).into())
            }
        }
        Ok(Outcome::More(_)) | Err(CallError::Exporter(Error::Interrupted)) => {
            let text =
                "interrupted: the dump is incomplete; exports made with --to STORE can be resumed";
            Err(Failure::Interrupted(text.to_owned()))
        }
        Err(CallError::Exporter(Error::InvalidOptions(text))) => {
            Err(Failure::usage(anyhow::anyhow!(text)))
        }
        Err(error) => Err(error.into()),
    }
}

/// A snapshot of the database, and if it is a copy, the temporary folder to keep while it is read.
fn snapshot(arguments: &ExportArguments) -> Result<(Snapshot, Option<TempDir>), Failure> {
    let held = Snapshot::hold(&arguments.database)?;
    if !partway_jobs::SnapshotMode::from(arguments.snapshot).copies(&held, true) {
        return Ok((held, None));
    }
    let folder = tempfile::tempdir()
        .context("there is no temporary folder for a copy of the database: set TMPDIR to one")?;
    let copy = held.copy(&folder.path().join("copy.db"))?;
    Ok((copy, Some(folder)))
}

/// Parts that go to standard output.
struct StandardOutput;

#[async_trait]
impl Parts for StandardOutput {
    async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        let mut output = io::stdout().lock();
        output.write_all(bytes).and_then(|()| output.flush()).map_err(|error| {
            parts::Error::Failed(match error.kind() {
                ErrorKind::BrokenPipe => {
                    "the reader of standard output closed it before the dump was complete"
                        .to_owned()
                }
                _ => format!("can't write to standard output: {error}"),
            })
        })
    }
}
