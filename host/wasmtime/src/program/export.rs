//! `partway export`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow};
use etcetera::BaseStrategy;
use jiff::Timestamp;
use partway::exporter::{Budget, Error};
use partway::{
    CallError, Exporter, Finished, Job, JobError, JobOptions, SavedJob, Snapshot, Store,
    StoreAddress, part_size,
};
use serde::Serialize;

use super::arguments::{ExportArguments, OnChange};
use super::failure::Failure;
use super::progress::Progress;
use super::signals::{SlicePacing, Stop};
use super::standard_output;

/// Runs the command.
pub async fn run(arguments: ExportArguments) -> Result<(), Failure> {
    let held = Snapshot::hold(&arguments.database)?;
    let exporter = match &arguments.component {
        Some(file) => Exporter::from_file(file)
            .with_context(|| format!("{} can't be used for an export", file.display()))?,
        None => Exporter::bundled()?,
    };
    let Some(address) = &arguments.to else {
        let (snapshot, _copy) = arguments.snapshot.for_output(held)?;
        return standard_output::export(&arguments, exporter, snapshot).await;
    };
    let store = address.open()?;
    let part_size =
        part_size(arguments.part_size, held.bytes(), store.limits()).map_err(Failure::usage)?;
    let database = held.path().to_string_lossy();
    let name = arguments.name.as_deref().unwrap_or_default();
    let saved = SavedJob::lock(
        &state_folder(arguments.state.as_deref())?,
        &[&database, &store_key(address), name],
    )?;
    let snapshot = arguments.snapshot.for_store(held, address, &saved)?;
    let export = Export { arguments: &arguments, exporter, snapshot, store, saved, part_size };
    let finished = export.run().await?;
    Ok(report(&finished, arguments.json)?)
}

/// An export to a store.
struct Export<'a> {
    arguments: &'a ExportArguments,
    exporter: Exporter,
    snapshot: Snapshot,
    store: Arc<dyn Store>,
    saved: SavedJob,
    part_size: u32,
}

impl Export<'_> {
    async fn run(&self) -> Result<Finished, Failure> {
        let mut job = match self.saved_job().await? {
            Some(job) => job,
            None => self.begin(false).await?,
        };
        loop {
            let error = match self.finish(&mut job).await {
                Ok(Some(finished)) => return Ok(finished),
                Ok(None) => {
                    return Err(Failure::Interrupted(format!(
                        "interrupted behind {}: the same command again goes on from there",
                        counted(job.totals.parts.into(), "part")
                    )));
                }
                Err(error) => error,
            };
            match error.downcast_ref::<JobError>() {
                Some(cause) if cause.is_damage() && self.can_skip(&job) => {
                    eprintln!("partway: {cause}");
                    eprintln!("partway: starting over, to export what can be read");
                    self.abort(&job).await;
                    job = self.begin(true).await?;
                }
                Some(cause) if cause.may_pass() => {
                    return Err(anyhow!(
                        "{cause}; {} kept, and the same command again goes on from there",
                        counted(job.totals.parts.into(), "part")
                    )
                    .into());
                }
                // Going on would end the same way: leave nothing behind.
                Some(_) => {
                    self.discard(&job).await?;
                    return Err(error.into());
                }
                None => return Err(error.into()),
            }
        }
    }

    /// Whether there is use in an export that leaves out what is damaged. Only our own component is known to
    /// know how.
    fn can_skip(&self, job: &Job) -> bool {
        self.arguments.component.is_none() && !job.options.settings.contains(&skip_damaged())
    }

    /// The export that an earlier run of the same command left, if it can be gone on with.
    async fn saved_job(&self) -> Result<Option<Job>, Failure> {
        let Some(job) = self.saved.load()? else { return Ok(None) };
        let given = self.arguments;
        let settings = job.options.settings.iter().filter(|setting| **setting != skip_damaged());
        let same_options = job.options.format == given.format
            && job.options.tables == given.tables
            && settings.eq(&given.settings())
            && given.part_size.is_none_or(|size| size == u64::from(job.options.part_size));
        let reason = if !same_options {
            "it was begun with other options"
        } else if job.component != self.exporter.digest() {
            "it was begun with another component"
        } else if job.fingerprint.is_none()
            || job.fingerprint.as_ref() != self.snapshot.fingerprint()
        {
            if given.on_change == OnChange::Fail {
                return Err(anyhow!(
                    "the database has changed since the export to {} was cut off, behind {}; --on-change \
                     restart starts over",
                    self.store.location(job.name()),
                    counted(job.totals.parts.into(), "part")
                )
                .into());
            }
            "the database has changed since"
        } else {
            eprintln!(
                "partway: going on with {} behind {}",
                self.store.location(job.name()),
                counted(job.totals.parts.into(), "part")
            );
            return Ok(Some(job));
        };
        eprintln!(
            "partway: starting over: {} was not finished, and {reason}",
            self.store.location(job.name())
        );
        self.abort(&job).await;
        Ok(None)
    }

    /// Begins a new export, in place of any that was saved. From here on a crash loses a slice at most.
    async fn begin(&self, skips_damaged: bool) -> Result<Job, Failure> {
        let job = match self.begin_job(skips_damaged).await {
            Ok(job) => job,
            Err(error) => {
                self.saved.forget()?;
                return Err(error);
            }
        };
        if let Err(error) = self.saved.save(&job) {
            self.abort(&job).await;
            // What went wrong is known; where nothing can be saved, perhaps nothing can be deleted either.
            self.saved.forget().ok();
            return Err(error.into());
        }
        Ok(job)
    }

    async fn begin_job(&self, skips_damaged: bool) -> Result<Job, Failure> {
        let format = self.arguments.format.clone();
        let mut name = match &self.arguments.name {
            Some(name) => name.clone(),
            None => format!("{}.{format}", Timestamp::now().strftime("dump_%Y%m%d-%H%M%S")),
        };
        let mut settings = self.arguments.settings();
        if skips_damaged {
            settings.push(skip_damaged());
            // Nobody is to take it for a whole one.
            name.push_str(".incomplete");
        }
        let options = JobOptions {
            format,
            tables: self.arguments.tables.clone(),
            part_size: self.part_size,
            settings,
        };
        let job = Job::begin(&self.exporter, &self.snapshot, &self.store, &name, options).await;
        job.map_err(|error| match error {
            JobError::Call(CallError::Exporter(Error::InvalidOptions(_))) => Failure::usage(error),
            error => error.into(),
        })
    }

    /// Slice by slice to the finished object; none where somebody stopped it.
    async fn finish(&self, job: &mut Job) -> anyhow::Result<Option<Finished>> {
        let stop = Stop::listen();
        let progress = Progress::show(&self.snapshot, &self.arguments.tables);
        let budget = Budget { parts: self.arguments.slice_parts.unwrap_or(u32::MAX) };
        while !job.is_ended() {
            progress.slices.store(job.totals.slices, Ordering::Relaxed);
            let pacing = SlicePacing::new(self.arguments.slice_time, &stop);
            let counters = &progress.counters;
            let slice =
                job.slice(&self.exporter, &self.snapshot, &self.store, pacing, budget, counters);
            match slice.await {
                Ok(()) => self.saved.save(job)?,
                Err(error) if error.is_interrupted() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if stop.is_asked() && !job.is_ended() {
                return Ok(None);
            }
        }
        let finished = job.complete(&self.store).await?;
        self.saved.forget()?;
        Ok(Some(finished))
    }

    /// Throws away an export that can't be gone on with.
    async fn discard(&self, job: &Job) -> Result<(), Failure> {
        self.abort(job).await;
        Ok(self.saved.forget()?)
    }

    /// Throws away what is in the store.
    async fn abort(&self, job: &Job) {
        if let Err(error) = job.abort(&self.store).await {
            eprintln!("partway: warning: the unfinished object could not be removed: {error}");
        }
    }
}

/// The setting by which the component leaves out what is damaged.
pub fn skip_damaged() -> (String, String) {
    ("damaged".to_owned(), "skip".to_owned())
}

/// What to say of an export in which damaged tables are missing in part.
pub fn incomplete(damaged: &[String]) -> anyhow::Error {
    anyhow!(
        "the export is not complete: the database is damaged, and could not be read to the end in table {}; all \
         else is there. `sqlite3 FILE .recover` may save more",
        damaged.join("; in table ")
    )
}

fn state_folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let folders = etcetera::choose_base_strategy()
        .context("this system has no folder for state: give one by --state")?;
    // Some platforms keep state where they keep data.
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("partway"))
}

/// The store's name in saved state: the same however a folder's path is spelled.
fn store_key(address: &StoreAddress) -> String {
    match address {
        StoreAddress::Folder(path) => {
            path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string()
        }
        StoreAddress::S3 { bucket, prefix } => {
            let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].map(std::env::var);
            let endpoint = endpoint.into_iter().find_map(Result::ok).unwrap_or_default();
            format!("s3 {endpoint} {bucket}/{prefix}")
        }
        StoreAddress::R2 { account, bucket, prefix } => format!("r2 {account} {bucket}/{prefix}"),
    }
}

fn report(finished: &Finished, json: bool) -> anyhow::Result<()> {
    let totals = &finished.totals;
    for warning in &totals.warnings {
        eprintln!("partway: warning: {warning}");
    }
    if json {
        let summary = Summary {
            location: &finished.location,
            bytes: totals.bytes,
            sha256: &finished.sha256,
            parts: totals.parts,
            slices: totals.slices,
            tables: totals.tables,
            rows: totals.rows,
            seconds: (totals.seconds * 1000.0).round() / 1000.0,
            damaged: &totals.damaged,
        };
        print(&serde_json::to_string(&summary)?)?;
        return if totals.damaged.is_empty() { Ok(()) } else { Err(incomplete(&totals.damaged)) };
    }
    eprintln!(
        "partway: {} of {} in {} ({}, {}, {:.1} s)",
        counted(totals.rows, "row"),
        counted(totals.tables.into(), "table"),
        bytesize::ByteSize::b(totals.bytes),
        counted(totals.parts.into(), "part"),
        counted(totals.slices.into(), "slice"),
        totals.seconds
    );
    print(&finished.location)?;
    if totals.damaged.is_empty() { Ok(()) } else { Err(incomplete(&totals.damaged)) }
}

/// A line on standard output.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")
        .context("the export is done, but standard output can't be written")
}

/// A number of things in words: `1 part`, `2 parts`.
pub fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
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
    /// Tables of which a part is missing.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    damaged: &'a [String],
}
