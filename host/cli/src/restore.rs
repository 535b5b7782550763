//! `partway restore`.

use std::time::Instant;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use bytesize::ByteSize;
use partway_codec::Identities;
use partway_restore::{Requirements, Restore, RestoreError, Restored};
use partway_verify::pluralize;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::arguments::RestoreArguments;
use crate::dump_source::DumpSource;
use crate::encoded_object::{EncodedObject, ObjectError, decode};
use crate::failure::Failure;
use crate::object_manifest;
use crate::output::{message, print_or_fail};
use crate::read_progress::ReadProgress;
use crate::signals::Signals;

/// Runs the command.
pub async fn run(arguments: RestoreArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let mut signals = Signals::new().context("can't listen for signals")?;
    let restore = Restore::into_new(&arguments.database).map_err(|error| match error {
        RestoreError::Exists(_) => Failure::usage(error),
        error => Failure::from(error),
    })?;
    let hidden = restore.hidden_file().to_owned();
    let restored = tokio::select! {
        restored = restore_from(&arguments, restore) => restored?,
        _ = signals.next() => {
            // The thread that works on it is not waited for.
            std::fs::remove_file(hidden).ok();
            message!("interrupted: there is no new database");
            std::process::exit(130)
        }
    };
    report(&arguments, &restored, began)
}

async fn restore_from(arguments: &RestoreArguments, restore: Restore) -> Result<Restored, Failure> {
    let identities = arguments.decryption.identities()?;
    let source = DumpSource::open(&arguments.dump)?;
    let location = source.location();
    let sha256 = match &arguments.sha256 {
        Some(sha256) => Some(sha256.clone()),
        None if arguments.no_manifest => None,
        None => {
            let manifest = object_manifest::manifest(&source, None).await?;
            manifest.map(|manifest| manifest.object.sha256)
        }
    };
    let reading = source.read().await?;
    let progress = ReadProgress::of(reading.length);
    let requirements = Requirements { sha256, may_be_of_damaged: arguments.allow_incomplete };
    let counted = progress.clone();
    let work = move |chunks| run_statements(chunks, &identities, restore, requirements, &counted);
    let result = reading.work_on(work).await;
    progress.end();
    use RestoreError::{Create, DiskFull, Exists};
    result?.map_err(|error| match error {
        ObjectError::Content(error @ (Exists(_) | Create { .. } | DiskFull(_))) => error.into(),
        // These are said of the dump.
        error => anyhow!("{location} {error}{}", error.advice()).into(),
    })
}

fn run_statements(
    mut chunks: mpsc::Receiver<Bytes>,
    identities: &Identities,
    mut restore: Restore,
    mut requirements: Requirements,
    progress: &ReadProgress,
) -> Result<Restored, ObjectError<RestoreError>> {
    let next = || {
        let chunk = chunks.blocking_recv()?;
        progress.add(chunk.len());
        Some(chunk)
    };
    let object = decode(next, identities, |bytes| restore.feed(bytes))?;
    let restored = match object {
        None => restore.finish(&requirements),
        // What was asked for is the object's, not that of what is in it.
        Some(EncodedObject { sha256, bytes }) => match requirements.sha256.take() {
            Some(expected) if !expected.eq_ignore_ascii_case(&sha256) => {
                Err(RestoreError::OtherHash { found: sha256, expected })
            }
            _ => {
                restore.finish(&requirements).map(|restored| Restored { sha256, bytes, ..restored })
            }
        },
    };
    restored.map_err(ObjectError::Content)
}

/// Prints what is restored.
fn report(
    arguments: &RestoreArguments,
    restored: &Restored,
    began: Instant,
) -> Result<(), Failure> {
    for missing in &restored.missing {
        message!("warning: the dump {missing}");
    }
    if arguments.json {
        let outcome = Outcome {
            database: arguments.database.display().to_string(),
            tables: restored.tables,
            rows: restored.rows,
            bytes: restored.bytes,
            sha256: &restored.sha256,
            seconds: began.elapsed().as_secs_f64(),
        };
        return Ok(print_or_fail(&serde_json::to_string(&outcome)?)?);
    }
    message!(
        "{} is restored: {} in {}, of a dump of {}",
        arguments.database.display(),
        pluralize(restored.rows, "row"),
        pluralize(restored.tables, "table"),
        ByteSize::b(restored.bytes)
    );
    Ok(())
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    database: String,
    tables: u64,
    rows: u64,
    bytes: u64,
    sha256: &'a str,
    seconds: f64,
}
