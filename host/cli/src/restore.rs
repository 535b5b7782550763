//! `partway restore`.

use std::time::Instant;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use bytesize::ByteSize;
use partway_codec::Identities;
use partway_manifest::ManifestObject;
use partway_restore::{Requirements, Restore, RestoreError, Restored};
use partway_verify::{DumpFormatError, pluralize};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::arguments::RestoreArguments;
use crate::dump_source::DumpSource;
use crate::encoded_object::{ObjectError, ObjectHasher, decode};
use crate::failure::Failure;
use crate::object_manifest;
use crate::output::{message, print_or_fail};
use crate::read_progress::ReadProgress;
use crate::signals::Signals;

/// Runs the command.
pub async fn run(arguments: RestoreArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let mut signals = Signals::new().context("can't listen for signals")?;
    let requirements =
        Requirements { may_be_of_damaged: arguments.allow_incomplete, ..Requirements::default() };
    let restore =
        Restore::into_new(&arguments.database, requirements).map_err(|error| match error {
            RestoreError::Exists(_) => Failure::usage(error),
            error => Failure::from(error),
        })?;
    let hidden = restore.hidden_file().to_owned();
    let done = tokio::select! {
        done = restore_from(&arguments, restore) => done?,
        _ = signals.next() => {
            // The thread that works on it is not waited for.
            std::fs::remove_file(hidden).ok();
            message!("interrupted: there is no new database");
            std::process::exit(130)
        }
    };
    report(&arguments, &done, began)
}

async fn restore_from(arguments: &RestoreArguments, restore: Restore) -> Result<Done, Failure> {
    let identities = arguments.decryption.identities()?;
    let source = DumpSource::open(&arguments.dump)?;
    let location = source.location();
    if let Some((set, _)) = object_manifest::listed_by(&source).await? {
        let objects = pluralize(set.objects.len() as u64, "object");
        return Err(Failure::usage(anyhow!(
            "{location} is no dump, but a manifest, which lists {objects}: restore each of them by its own name"
        )));
    }
    let object = match arguments.no_manifest || arguments.sha256.is_some() {
        true => None,
        false => object_manifest::manifest(&source, None).await?.map(|manifest| manifest.object),
    };
    let expected = object.as_ref().map(|object| object.sha256.clone());
    let expected = arguments.sha256.clone().or(expected);
    let hash = Hash { is_wanted: arguments.json || expected.is_some(), expected };
    let reading = source.read().await?;
    let progress = ReadProgress::of(reading.length);
    let counted = progress.clone();
    let work = move |chunks| run_statements(chunks, &identities, restore, hash, &counted);
    let result = reading.work_on(work).await;
    progress.end();
    use RestoreError::{Create, DiskFull, Exists, Format};
    result?.map_err(|error| match error {
        ObjectError::Content(Format(DumpFormatError::NotADump))
            if let Some(ManifestObject { codec_sha256: Some(_), compression, .. }) = &object =>
        {
            let compression = compression.as_deref().unwrap_or_default();
            anyhow!("{location} is compressed by a codec component, as {compression}: decompress it first")
                .into()
        }
        ObjectError::Content(error @ (Exists(_) | Create { .. } | DiskFull(_))) => error.into(),
        // These are said of the dump.
        error => anyhow!("{location} {error}{}", error.advice()).into(),
    })
}

/// The hash of the object that is restored.
struct Hash {
    /// What it has to be.
    expected: Option<String>,
    /// Whether anybody asks for it.
    is_wanted: bool,
}

/// What is restored, and of which object.
struct Done {
    restored: Restored,
    bytes: u64,
    sha256: Option<String>,
}

fn run_statements(
    mut chunks: mpsc::Receiver<Bytes>,
    identities: &Identities,
    mut restore: Restore,
    hash: Hash,
    progress: &ReadProgress,
) -> Result<Done, ObjectError<RestoreError>> {
    // What is asked for is the object's, not that of what is in it.
    let mut hasher = hash.is_wanted.then(ObjectHasher::default);
    let mut bytes = 0;
    let next = || {
        let chunk = chunks.blocking_recv()?;
        progress.add(chunk.len());
        bytes += chunk.len() as u64;
        if let Some(hasher) = &mut hasher {
            hasher.update(&chunk);
        }
        Some(chunk)
    };
    decode(next, identities, |bytes| restore.feed(bytes))?;
    let sha256 = hasher.map(|hasher| hasher.finish().sha256);
    if let (Some(expected), Some(found)) = (hash.expected, &sha256)
        && !expected.eq_ignore_ascii_case(found)
    {
        let found = found.clone();
        return Err(ObjectError::Content(RestoreError::OtherHash { found, expected }));
    }
    let restored = restore.finish().map_err(ObjectError::Content)?;
    Ok(Done { restored, bytes, sha256 })
}

/// Prints what is restored.
fn report(
    arguments: &RestoreArguments,
    Done { restored, bytes, sha256 }: &Done,
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
            bytes: *bytes,
            sha256: sha256.as_deref(),
            seconds: began.elapsed().as_secs_f64(),
        };
        return Ok(print_or_fail(&serde_json::to_string(&outcome)?)?);
    }
    message!(
        "{} is restored: {} in {}, of a dump of {}",
        arguments.database.display(),
        pluralize(restored.rows, "row"),
        pluralize(restored.tables, "table"),
        ByteSize::b(*bytes)
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
    sha256: Option<&'a str>,
    seconds: f64,
}
