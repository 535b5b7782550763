//! An export to standard output: one slice, however long it takes, that can't be resumed.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use partway_jobs::{
    Incomplete, JobError, StreamedExport, expected_under, reads_pages, skip_damaged,
};
use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::{ExportError, Exporter, Options};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{CallError, Counters, async_trait};

use crate::arguments::ExportArguments;
use crate::failure::Failure;
use crate::output::message;
use crate::progress::Progress;
use crate::signals::listen;

/// How long it takes until reads are interrupted once more.
const INTERRUPT_AGAIN: Duration = Duration::from_millis(50);

/// Writes the whole dump to standard output.
pub async fn export(arguments: &ExportArguments, exporter: Exporter) -> Result<(), Failure> {
    let stop = listen();
    let held = Snapshot::hold(&arguments.database)?
        .with_max_loaded_row(arguments.max_loaded_row)
        .with_pages(reads_pages(&arguments.format))
        .with_filters(&arguments.conditions)
        .map_err(Failure::usage)?;
    let mode = arguments.snapshot.into();
    let export = match StreamedExport::open(held, mode, true, stop.cancelled()).await {
        Err(_) if stop.is_cancelled() => return Err(interrupted()),
        export => export?,
    };
    let options = options(arguments);
    let encoding = arguments.encoding.encoding()?;
    let counters = Arc::new(Counters::default());
    let (read, tables) = (export.snapshot().clone(), arguments.tables.clone());
    let settings = options.settings.clone();
    let expected = move || expected_under(&read, &tables, &settings);
    let progress = Progress::of(expected, &counters, 0);
    // Nothing of it can be resumed, so that a read that takes long is of no use any more.
    let (reading, stopped) = (export.snapshot().clone(), stop.clone());
    tokio::spawn(async move {
        stopped.cancelled().await;
        // A read that is about to begin does not notice: the next one is meant for it.
        loop {
            reading.interrupt();
            tokio::time::sleep(INTERRUPT_AGAIN).await;
        }
    });
    let result = tokio::task::spawn_blocking(move || {
        export.run(&exporter, &options, &encoding, StandardOutput, counters, stop)
    })
    .await
    .context("the export ended unexpectedly")?;
    drop(progress);
    match result {
        Ok(summary) => {
            for warning in summary.warnings {
                message!("warning: {warning}");
            }
            io::stdout().flush().context("can't write to standard output")?;
            if summary.damaged.is_empty() {
                Ok(())
            } else {
                Err(Incomplete::new(&summary.damaged).into())
            }
        }
        Err(error) if error.is_interrupted() => Err(interrupted()),
        Err(error @ JobError::Call(CallError::Exporter(ExportError::InvalidOptions(_)))) => {
            Err(Failure::usage(error))
        }
        Err(error) => Err(error.into()),
    }
}

fn interrupted() -> Failure {
    let text = "interrupted: the dump is incomplete; exports made with --to STORE can be resumed";
    Failure::Interrupted(text.to_owned())
}

fn options(arguments: &ExportArguments) -> Options {
    let mut settings = arguments.settings();
    // What has been written can't be taken back, so damage is skipped from the start.
    if arguments.component.is_none() {
        settings.push(skip_damaged());
    }
    Options {
        format: arguments.format.clone(),
        tables: arguments.tables.clone(),
        part_size: StreamedExport::PART_SIZE,
        settings,
    }
}

/// Parts that go to standard output.
#[derive(Clone)]
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
