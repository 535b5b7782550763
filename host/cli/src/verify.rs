//! `partway verify`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::StreamExt;
use partway_sqlite::Snapshot;
use partway_store::Store;
use partway_verify::{Check, Checked, Difference, Restored, Scratch, Unfit, compare_each};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::arguments::VerifyArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::words::counted;

/// Pieces of the dump that wait to be checked, while others are read.
const WAITING: usize = 2;

/// Differences that are told one by one.
const TOLD: usize = 20;

/// Runs the command.
pub async fn run(arguments: VerifyArguments) -> Result<(), Failure> {
    if let Some(database) = &arguments.against {
        // What is wrong with it is better said before the dump is read.
        drop(Snapshot::hold(database)?);
    }
    let store = arguments.dump.store.open()?;
    let folder =
        match arguments.against {
            Some(_) => Some(tempfile::tempdir().context(
                "the dump can't be restored without a temporary folder: set TMPDIR to one",
            )?),
            None => None,
        };
    let scratch = folder.as_ref().map(|folder| folder.path().join("restored.db"));
    let verify = Verify { arguments: &arguments, store, scratch };
    let mut signals = Signals::new().context("no signals can be listened to")?;
    tokio::select! {
        result = verify.run() => result,
        _ = signals.next() => {
            // What works on it is not waited for.
            drop(folder);
            eprintln!("partway: interrupted");
            std::process::exit(130)
        }
    }
}

struct Verify<'a> {
    arguments: &'a VerifyArguments,
    store: Arc<dyn Store>,
    /// The file to restore into.
    scratch: Option<PathBuf>,
}

impl Verify<'_> {
    async fn run(&self) -> Result<(), Failure> {
        let name = &self.arguments.dump.name;
        let location = self.store.location(name);
        let checked = self.check(name).await?;
        let checked = checked.map_err(|unfit| anyhow!("{location} {unfit}"))?;

        let mut problems: Vec<String> =
            checked.problems.iter().map(|problem| format!("{location} {problem}")).collect();
        if let Some(expected) = &self.arguments.sha256
            && *expected != checked.sha256
        {
            problems
                .push(format!("{location} has not the SHA-256 {expected}, but {}", checked.sha256));
        }
        let compared = self.compare(&location, &checked, &mut problems).await?;
        if self.arguments.json {
            let outcome = Outcome {
                complete: checked.problems.is_empty(),
                tables: checked.tables,
                rows: checked.rows,
                bytes: checked.bytes,
                sha256: &checked.sha256,
                differences: compared,
            };
            print(&serde_json::to_string(&outcome)?)?;
        }
        let Some(last) = problems.pop() else {
            return Ok(self.report(&location, &checked)?);
        };
        for problem in problems {
            eprintln!("partway: {problem}");
        }
        Err(Failure::Failed(anyhow!(last)))
    }

    /// Reads the dump, and checks it on a thread beside that.
    async fn check(&self, name: &str) -> anyhow::Result<Result<Checked, Unfit>> {
        let mut pieces = self.store.read(name).await?;
        let scratch = self.scratch.as_deref().map(Scratch::new).transpose();
        let scratch = scratch.context("the dump can't be restored into a temporary file")?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let checking = spawn_blocking(move || check(receiver, Check::new(scratch)));
        while let Some(piece) = pieces.next().await {
            // It may have seen enough already.
            if sender.send(piece?).await.is_err() {
                break;
            }
        }
        drop(sender);
        checking.await.context("the check ended in an unforeseen way")
    }

    /// Compares what was restored with the database, and gives the number of differences; none where that was not
    /// asked for, or not possible.
    async fn compare(
        &self,
        location: &str,
        checked: &Checked,
        problems: &mut Vec<String>,
    ) -> anyhow::Result<Option<u64>> {
        let (Some(database), Some(scratch)) = (&self.arguments.against, &self.scratch) else {
            return Ok(None);
        };
        match &checked.restored {
            Some(Restored::Whole) => {}
            Some(Restored::Failed(reason)) => {
                problems.push(format!("{location} {reason}"));
                return Ok(None);
            }
            Some(Restored::Uncommitted) | None => {
                // Without its end it has no COMMIT either, and that is said already.
                if checked.problems.is_empty() {
                    problems.push(format!("{location} can't be restored: its COMMIT is missing"));
                }
                return Ok(None);
            }
        }
        let (original, copy) = (database.clone(), scratch.clone());
        let differences = spawn_blocking(move || differences(&original, &copy));
        let differences =
            differences.await.context("the comparison ended in an unforeseen way")??;
        for difference in &differences.first {
            eprintln!("partway: {difference}");
        }
        let more = differences.number - differences.first.len() as u64;
        if more > 0 {
            eprintln!("partway: and {} more", counted(more, "difference"));
        }
        if differences.number > 0 {
            problems.push(format!(
                "{location} differs from {} in {}",
                database.display(),
                counted(differences.number, "place")
            ));
        }
        Ok(Some(differences.number))
    }

    /// Tells that all is well.
    fn report(&self, location: &str, checked: &Checked) -> anyhow::Result<()> {
        eprintln!(
            "partway: the dump is whole: {} of {} in {}",
            counted(checked.rows, "row"),
            counted(checked.tables, "table"),
            ByteSize::b(checked.bytes)
        );
        if let Some(database) = &self.arguments.against {
            eprintln!("partway: it restores to what {} holds", database.display());
        }
        // As sha256sum writes it.
        if self.arguments.json { Ok(()) } else { print(&format!("{}  {location}", checked.sha256)) }
    }
}

fn check(mut pieces: mpsc::Receiver<Bytes>, mut check: Check) -> Result<Checked, Unfit> {
    while let Some(piece) = pieces.blocking_recv() {
        check.feed(&piece)?;
    }
    check.finish()
}

/// How two databases differ.
#[derive(Default)]
struct Differences {
    first: Vec<Difference>,
    number: u64,
}

fn differences(original: &Path, copy: &Path) -> Result<Differences, partway_verify::Error> {
    let mut differences = Differences::default();
    compare_each(original, copy, |difference| {
        differences.number += 1;
        if differences.first.len() < TOLD {
            differences.first.push(difference);
        }
    })?;
    Ok(differences)
}

/// A line on standard output.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output can't be written")
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    complete: bool,
    tables: u64,
    rows: u64,
    bytes: u64,
    sha256: &'a str,
    /// Null where nothing was compared.
    differences: Option<u64>,
}
