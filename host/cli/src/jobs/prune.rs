//! `partway jobs prune`.

use anyhow::anyhow;
use partway_jobs::{Clock, JobStore, PrebuiltResources, Prune, Pruned, SystemClock};
use partway_verify::pluralize;
use serde_json::json;

use crate::advice::advice;
use crate::failure::Failure;
use crate::output::{message, print};

/// Prunes, and prints what was done.
pub async fn prune(jobs: &JobStore, what: &Prune, json: bool) -> Result<(), Failure> {
    let resources = PrebuiltResources::default();
    let pruned = partway_jobs::prune(jobs, &resources, SystemClock.now(), what).await?;
    if json {
        let summary = json!({
            "jobs": pruned.jobs,
            "kept": pruned.kept,
            "uploads": pruned.uploads,
            "dry_run": what.dry_run
        });
        print(&summary.to_string())?;
    } else {
        report(&pruned, what.dry_run);
    }
    let failures: Vec<_> =
        pruned.failures.iter().map(|failure| format!("{failure}{}", advice(failure))).collect();
    match failures.as_slice() {
        [] => Ok(()),
        failures => Err(anyhow!("not everything could be pruned: {}", failures.join("; ")).into()),
    }
}

fn report(pruned: &Pruned, dry_run: bool) {
    let (forgot, deleted) =
        if dry_run { ("would forget", "would delete") } else { ("forgot", "deleted") };
    for upload in &pruned.uploads {
        message!("{deleted} the unfinished upload of {upload}");
    }
    if !pruned.kept.is_empty() {
        message!(
            "kept {}, because their stores can't be read, or have uploads that are too recent to delete",
            pluralize(pruned.kept.len() as u64, "failed or cancelled job")
        );
    }
    message!(
        "{forgot} {}, {deleted} {}",
        pluralize(pruned.jobs.len() as u64, "finished job"),
        pluralize(pruned.uploads.len() as u64, "unfinished upload")
    );
}
