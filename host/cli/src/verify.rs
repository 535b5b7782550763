//! `partway verify`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use bytesize::ByteSize;
use partway_codec::Identities;
use partway_manifest::{Manifest, ManifestChecker, ManifestProblem};
use partway_sqlite::Snapshot;
use partway_verify::{
    CompareError, Difference, DumpChecker, DumpFormatError, DumpReport, InsertedColumns,
    RestoreError, compare_restored, pluralize,
};
use serde::Serialize;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::advice::advice;
use crate::arguments::VerifyArguments;
use crate::dump_source::DumpSource;
use crate::encoded_object::{ObjectError, ObjectHasher, StoredObject, decode};
use crate::failure::Failure;
use crate::object_manifest::{self, printable};
use crate::output::{message, print_or_fail};
use crate::signals::Signals;
use crate::verify_set::{manifest_set, verify_set};

/// How many differences are printed one by one.
const MAX_PRINTED: usize = 20;

/// What can be done with an object that is no SQL dump.
const OTHER_FORMATS: &str =
    "; of csv, ndjson, json and parquet, only the SHA-256 can be checked: give it with --sha256";

/// Runs the command.
pub async fn run(arguments: VerifyArguments) -> Result<(), Failure> {
    if let Some(database) = &arguments.against {
        // If something is wrong with it, that is better known before the dump is read.
        drop(Snapshot::hold(database)?);
    }
    let identities = arguments.decryption.identities()?;
    let source = DumpSource::open(&arguments.dump)?;
    let set = manifest_set(&source, &arguments).await?;
    let manifest = match arguments.no_manifest || set.is_some() {
        true => None,
        false => object_manifest::manifest(&source, arguments.manifest.as_ref()).await?,
    };
    let folder = match arguments.against {
        Some(_) => Some(
            private_folder()
                .context("restoring the dump needs a temporary folder: set TMPDIR to one")?,
        ),
        None => None,
    };
    let restored = folder.as_ref().map(|folder| folder.path().join("restored.db"));
    let verified = async {
        if let Some(set) = set {
            return verify_set(set, &source, &arguments, &identities).await;
        }
        Verify { arguments: &arguments, source, identities, restored }.run(manifest).await
    };
    let mut signals = Signals::new().context("can't listen for signals")?;
    tokio::select! {
        result = verified => result,
        _ = signals.next() => {
            // The threads that work on it are not waited for.
            drop(folder);
            message!("interrupted");
            std::process::exit(130)
        }
    }
}

/// A temporary folder for this user alone, whatever the umask: what is restored is as private as the database.
fn private_folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// The verification of one object.
pub struct Verify<'a> {
    pub arguments: &'a VerifyArguments,
    pub source: DumpSource,
    pub identities: Identities,
    /// The file to restore into.
    pub restored: Option<PathBuf>,
}

impl Verify<'_> {
    pub async fn run(&self, manifest: Option<Manifest>) -> Result<(), Failure> {
        let location = self.source.location();
        let listed = manifest.as_ref().map(Listed::of);
        let (checked, different) = self.check(manifest.map(ManifestChecker::new)).await?;
        let mut problems = printable(&location, &different);
        let Checked { report, object } = match checked {
            Ok(checked) => checked,
            Err(error) => {
                for problem in problems {
                    message!("{problem}");
                }
                return Err(match error {
                    ObjectError::Content(DumpFormatError::NotADump) => {
                        anyhow!("{location} {error}{OTHER_FORMATS}")
                    }
                    _ => anyhow!("{location} {error}{}", error.advice()),
                }
                .into());
            }
        };
        let Some(report) = report else {
            return self.finish_other(&object, problems, listed.as_ref());
        };
        // Of the object, not of what is in it: as export tells it.
        let StoredObject { sha256, bytes } = object;
        problems.extend(report.problems.iter().map(|problem| format!("{location} {problem}")));
        if let Some(expected) = &self.arguments.sha256
            && *expected != sha256
        {
            problems.push(format!("{location} has the SHA-256 {sha256}, not {expected}"));
        }
        let differences = self.compare(&location, &report, &mut problems).await?;
        if self.arguments.json {
            let outcome = Outcome {
                complete: report.is_complete(),
                tables: report.tables,
                rows: report.rows,
                bytes,
                sha256: &sha256,
                differences: differences.as_ref().map(|differences| differences.number),
            };
            print_or_fail(&serde_json::to_string(&outcome)?)?;
        }
        if problems.is_empty() {
            self.print_success(&report, &sha256, differences.as_ref(), listed.as_ref())?;
        }
        failed(problems)
    }

    /// Reads the dump, and checks it on another thread meanwhile.
    async fn check(&self, manifest: Option<ManifestChecker>) -> anyhow::Result<Outcomes> {
        let checker = match &self.restored {
            Some(database) => DumpChecker::restoring_into(database)
                .context("the dump can't be restored into a temporary file")?,
            None => DumpChecker::new(),
        };
        let identities = self.identities.clone();
        let has_hash = self.arguments.sha256.is_some() || manifest.is_some();
        let only_hash = has_hash && self.arguments.against.is_none();
        let reading = self.source.read().await?;
        let work = move |chunks| check(chunks, &identities, checker, only_hash, manifest);
        reading.work_on(work).await
    }

    /// Ends with an object that is no dump: its hash tells whether it is as it was.
    fn finish_other(
        &self,
        StoredObject { sha256, bytes }: &StoredObject,
        mut problems: Vec<String>,
        listed: Option<&Listed>,
    ) -> Result<(), Failure> {
        let location = self.source.location();
        if let Some(expected) = &self.arguments.sha256
            && expected != sha256
        {
            problems.push(format!("{location} has the SHA-256 {sha256}, not {expected}"));
        }
        failed(problems)?;
        match listed.and_then(|listed| listed.codec.as_ref()) {
            Some(compression) => message!(
                "{location} has the expected SHA-256. It is compressed by a codec component, as {compression}: what is in it \
                 was not checked"
            ),
            None => message!(
                "{location} has the expected SHA-256. It is no dump, and was not checked further"
            ),
        }
        print_listed(listed);
        if self.arguments.json {
            let outcome = serde_json::json!({ "bytes": bytes, "sha256": sha256 });
            return Ok(print_or_fail(&outcome.to_string())?);
        }
        Ok(print_or_fail(&format!("{sha256}  {}", self.source.hashed_name()))?)
    }

    /// Compares the restored dump with the database. None: that was not asked for, or not possible.
    async fn compare(
        &self,
        location: &str,
        report: &DumpReport,
        problems: &mut Vec<String>,
    ) -> anyhow::Result<Option<Differences>> {
        let (Some(database), Some(restored)) = (&self.arguments.against, &self.restored) else {
            return Ok(None);
        };
        if let Some(part) = &report.part {
            problems.push(format!(
                "{location} is of a part of a database only ({part}): it can't be compared with the whole of {}",
                database.display()
            ));
            return Ok(None);
        }
        match &report.restored {
            Some(Ok(())) => {}
            // A dump that is cut off lacks its COMMIT too. That it is cut off is a problem already.
            Some(Err(RestoreError::NotCommitted)) if !report.is_complete() => return Ok(None),
            Some(Err(error)) => {
                problems.push(format!("{location} {error}{}", advice(error)));
                return Ok(None);
            }
            None => return Ok(None),
        }
        let (original, copy) = (database.clone(), restored.clone());
        let inserted = report.inserted.clone();
        let differences = spawn_blocking(move || differences(&original, &copy, &inserted));
        let differences = differences.await.context("the comparison ended unexpectedly")??;
        for difference in &differences.first {
            message!("{difference}");
        }
        let more = differences.number - differences.first.len() as u64;
        if more > 0 {
            message!("and {}", pluralize(more, "more difference"));
        }
        if differences.number > 0 {
            problems.push(format!(
                "{location} differs from {} in {}",
                database.display(),
                pluralize(differences.number, "place")
            ));
        }
        Ok(Some(differences))
    }

    /// Prints that all is well.
    fn print_success(
        &self,
        report: &DumpReport,
        sha256: &str,
        differences: Option<&Differences>,
        listed: Option<&Listed>,
    ) -> anyhow::Result<()> {
        let bytes = ByteSize::b(report.bytes);
        match report.pages {
            Some(pages) => {
                message!("the image is complete: {}, {bytes}", pluralize(pages, "page"));
            }
            None => message!(
                "the dump is complete: {} in {}, {bytes}",
                pluralize(report.rows, "row"),
                pluralize(report.tables, "table")
            ),
        }
        if let Some(part) = &report.part {
            message!("it is of a part of a database only: {part}");
        }
        print_listed(listed);
        if let Some(database) = &self.arguments.against {
            let without = if differences.is_some_and(|differences| !differences.with_rowids) {
                ", without rowids: the dump was made with --no-rowids"
            } else {
                ""
            };
            message!("restored, it has the same contents as {}{without}", database.display());
        }
        // As sha256sum writes it.
        if self.arguments.json {
            return Ok(());
        }
        print_or_fail(&format!("{sha256}  {}", self.source.hashed_name()))
    }
}

/// What an object is.
struct Checked {
    /// What is in it. None: no dump, and the hash alone was asked for.
    report: Option<DumpReport>,
    /// The object as it is stored.
    object: StoredObject,
}

/// What reading an object comes to, and where it is not what its manifest says.
type Outcomes = (Result<Checked, ObjectError<DumpFormatError>>, Vec<ManifestProblem>);

fn check(
    mut chunks: mpsc::Receiver<Bytes>,
    identities: &Identities,
    checker: DumpChecker,
    only_hash: bool,
    mut manifest: Option<ManifestChecker>,
) -> Outcomes {
    let (mut object, mut contents) = manifest.as_mut().map(ManifestChecker::streams).unzip();
    let has_manifest = object.is_some();
    let mut next = || {
        let chunk = chunks.blocking_recv()?;
        if let Some(object) = &mut object {
            object(&chunk);
        }
        Some(chunk)
    };
    let checked = check_contents(&mut next, identities, checker, only_hash, |bytes| {
        if let Some(contents) = &mut contents {
            contents(bytes);
        }
    });
    // Where it is no dump, or can't be decoded any further, the rest still has to be what it was.
    while has_manifest && next().is_some() {}
    drop((object, contents));
    let sha256 = checked.as_ref().ok().map(|checked| checked.object.sha256.as_str());
    let different = manifest.map(|manifest| manifest.finish(sha256));
    (checked, different.unwrap_or_default())
}

fn check_contents(
    mut next: impl FnMut() -> Option<Bytes> + Send,
    identities: &Identities,
    mut checker: DumpChecker,
    only_hash: bool,
    mut tell: impl FnMut(&[u8]),
) -> Result<Checked, ObjectError<DumpFormatError>> {
    let mut is_other = false;
    let mut hasher = ObjectHasher::default();
    let hashed = || {
        let chunk = next()?;
        hasher.update(&chunk);
        Some(chunk)
    };
    decode(hashed, identities, |bytes| {
        tell(bytes);
        if is_other {
            return Ok(());
        }
        match checker.feed(bytes) {
            Err(DumpFormatError::NotADump) if only_hash => is_other = true,
            taken => return taken,
        }
        Ok(())
    })?;
    let report = match checker.finish() {
        _ if is_other => None,
        Ok(report) => Some(report),
        Err(DumpFormatError::NotADump) if only_hash => None,
        Err(error) => return Err(ObjectError::Content(error)),
    };
    Ok(Checked { report, object: hasher.finish() })
}

/// How much a manifest lists.
struct Listed {
    parts: u64,
    tables: u64,
    /// The compression of an object that a codec component has compressed: tables can't be compared then.
    codec: Option<String>,
}

impl Listed {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { object, parts, tables, .. } = manifest;
        let codec = object.codec_sha256.as_ref().and(object.compression.clone());
        let tables = if codec.is_some() { 0 } else { tables.len() as u64 };
        Self { parts: parts.len() as u64, tables, codec }
    }
}

/// Prints that an object is what its manifest says.
fn print_listed(listed: Option<&Listed>) {
    let Some(Listed { parts, tables, .. }) = listed else { return };
    let tables = match tables {
        0 => String::new(),
        tables => format!(" and {}", pluralize(*tables, "table")),
    };
    message!("it is what its manifest says: {}{tables}", pluralize(*parts, "part"));
}

/// Prints all problems but the last, which is the failure.
fn failed(mut problems: Vec<String>) -> Result<(), Failure> {
    let Some(last) = problems.pop() else { return Ok(()) };
    for problem in problems {
        message!("{problem}");
    }
    Err(Failure::Failed(anyhow!(last)))
}

/// How two databases differ.
#[derive(Default)]
struct Differences {
    first: Vec<Difference>,
    number: u64,
    /// Rowids were compared: the dump holds them.
    with_rowids: bool,
}

fn differences(
    original: &Path,
    copy: &Path,
    inserted: &InsertedColumns,
) -> Result<Differences, CompareError> {
    let mut differences = Differences::default();
    differences.with_rowids = compare_restored(original, copy, inserted, |difference| {
        differences.number += 1;
        if differences.first.len() < MAX_PRINTED {
            differences.first.push(difference);
        }
    })?;
    Ok(differences)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    complete: bool,
    tables: u64,
    rows: u64,
    bytes: u64,
    sha256: &'a str,
    /// Null if nothing was compared.
    differences: Option<u64>,
}
