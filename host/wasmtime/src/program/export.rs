//! `partway export`.

use std::io::Write;
use std::path::PathBuf;
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

use super::arguments::ExportArguments;
use super::failure::Failure;
use super::progress::Progress;
use super::signals::{SlicePacing, Stop};
use super::standard_output;

/// Runs the command.
pub async fn run(arguments: ExportArguments) -> Result<(), Failure> {
    let snapshot = Snapshot::hold(&arguments.database)?;
    let exporter = match &arguments.component {
        Some(file) => Exporter::from_file(file)
            .with_context(|| format!("{} can't be used for an export", file.display()))?,
        None => Exporter::bundled()?,
    };
    match &arguments.to {
        None => standard_output::export(&arguments, exporter, snapshot).await,
        Some(address) => {
            let store = address.open()?;
            let export = Export { arguments: &arguments, exporter, snapshot, store };
            let finished = export.run(address).await?;
            Ok(report(&finished, arguments.json)?)
        }
    }
}

/// An export to a store.
struct Export<'a> {
    arguments: &'a ExportArguments,
    exporter: Exporter,
    snapshot: Snapshot,
    store: Arc<dyn Store>,
}

impl Export<'_> {
    async fn run(&self, address: &StoreAddress) -> Result<Finished, Failure> {
        let part_size =
            part_size(self.arguments.part_size, self.snapshot.bytes(), self.store.limits())
                .map_err(Failure::usage)?;
        let database = self.snapshot.path().to_string_lossy();
        let place = store_key(address);
        let name = self.arguments.name.as_deref().unwrap_or_default();
        let saved = SavedJob::lock(&self.state_folder()?, &[&database, &place, name])?;

        let mut job = match self.saved_job(&saved).await? {
            Some(job) => job,
            None => {
                let job = self.begin(part_size).await?;
                // From here on a crash loses a slice at most.
                if let Err(error) = saved.save(&job) {
                    job.abort(&self.store).await.ok();
                    return Err(error.into());
                }
                job
            }
        };
        match self.finish(&mut job, &saved).await {
            Ok(Some(finished)) => Ok(finished),
            Ok(None) => Err(Failure::Interrupted(format!(
                "interrupted behind {}: the same command again goes on from there",
                counted(job.totals.parts.into(), "part")
            ))),
            Err(error) => match error.downcast_ref::<JobError>() {
                Some(cause) if cause.may_pass() => Err(anyhow!(
                    "{cause}; {} kept, and the same command again goes on from there",
                    counted(job.totals.parts.into(), "part")
                )
                .into()),
                // Going on would end the same way: leave nothing behind.
                Some(_) => {
                    self.discard(&job, &saved).await?;
                    Err(error.into())
                }
                None => Err(error.into()),
            },
        }
    }

    /// The export that an earlier run of the same command left, if it can be gone on with.
    async fn saved_job(&self, saved: &SavedJob) -> Result<Option<Job>, Failure> {
        let Some(job) = saved.load()? else { return Ok(None) };
        let given = self.arguments;
        let same_options = job.options.format == given.format
            && job.options.tables == given.tables
            && given.part_size.is_none_or(|size| size == u64::from(job.options.part_size));
        let reason = if !same_options {
            "it was begun with other options"
        } else if job.component != self.exporter.digest() {
            "it was begun with another component"
        } else if job.fingerprint.is_none()
            || job.fingerprint.as_ref() != self.snapshot.fingerprint()
        {
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
        self.discard(&job, saved).await?;
        Ok(None)
    }

    async fn begin(&self, part_size: u32) -> Result<Job, Failure> {
        let format = self.arguments.format.clone();
        let name = match &self.arguments.name {
            Some(name) => name.clone(),
            None => format!("{}.{format}", Timestamp::now().strftime("dump_%Y%m%d-%H%M%S")),
        };
        let options = JobOptions {
            format,
            tables: self.arguments.tables.clone(),
            part_size,
            settings: Vec::new(),
        };
        let job = Job::begin(&self.exporter, &self.snapshot, &self.store, &name, options).await;
        job.map_err(|error| match error {
            JobError::Call(CallError::Exporter(Error::InvalidOptions(_))) => Failure::usage(error),
            error => error.into(),
        })
    }

    /// Slice by slice to the finished object; none where somebody stopped it.
    async fn finish(&self, job: &mut Job, saved: &SavedJob) -> anyhow::Result<Option<Finished>> {
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
                Ok(()) => saved.save(job)?,
                Err(error) if error.is_interrupted() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if stop.is_asked() && !job.is_ended() {
                return Ok(None);
            }
        }
        let finished = job.complete(&self.store).await?;
        saved.forget()?;
        Ok(Some(finished))
    }

    /// Throws away an export that can't be gone on with.
    async fn discard(&self, job: &Job, saved: &SavedJob) -> Result<(), Failure> {
        if let Err(error) = job.abort(&self.store).await {
            eprintln!("partway: warning: the unfinished object could not be removed: {error}");
        }
        Ok(saved.forget()?)
    }

    fn state_folder(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.arguments.state {
            return Ok(folder.clone());
        }
        let folders = etcetera::choose_base_strategy()
            .context("this system has no folder for state: give one by --state")?;
        // Some platforms keep state where they keep data.
        Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("partway"))
    }
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
        };
        return print(&serde_json::to_string(&summary)?);
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
    print(&finished.location)
}

/// A line on standard output.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")
        .context("the export is done, but standard output can't be written")
}

/// A number of things in words: `1 part`, `2 parts`.
fn counted(number: u64, thing: &str) -> String {
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
}
