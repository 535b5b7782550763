//! What the program prints when an export is done.

use bytesize::ByteSize;
use partway_jobs::{JobRecord, reads_pages};
use partway_verify::pluralize;
use serde::Serialize;

use crate::output::{message, print};

/// Prints where the object is, or with `json` a summary. An object in which something is missing is a failure.
pub fn report(record: &JobRecord, json: bool) -> anyhow::Result<()> {
    let totals = &record.totals;
    let location = record.location.as_deref().unwrap_or_default();
    for warning in &totals.warnings {
        message!("warning: {warning}");
    }
    if json {
        print(&serde_json::to_string(&Summary::of(record, location))?)?;
    } else {
        let rows = || pluralize(totals.rows, "row");
        let what = match reads_pages(&record.request.format) {
            true => pluralize(totals.rows, "page"),
            false => format!("{} from {}", rows(), pluralize(totals.tables.into(), "table")),
        };
        message!(
            "exported {what}: {} ({}, {}, {:.1} s)",
            ByteSize::b(totals.bytes),
            pluralize(totals.parts.into(), "part"),
            pluralize(totals.slices.into(), "slice"),
            totals.seconds
        );
        print(location)?;
    }
    record.incomplete().map_or(Ok(()), |missing| Err(missing.into()))
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
    job: &'a str,
    /// Tables that could not be read to the end.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    damaged: &'a [String],
}

impl<'a> Summary<'a> {
    fn of(record: &'a JobRecord, location: &'a str) -> Self {
        let totals = &record.totals;
        Self {
            location,
            bytes: totals.bytes,
            sha256: record.sha256.as_deref().unwrap_or_default(),
            parts: totals.parts,
            slices: totals.slices,
            tables: totals.tables,
            rows: totals.rows,
            seconds: (totals.seconds * 1000.0).round() / 1000.0,
            job: record.id.as_str(),
            damaged: &totals.damaged,
        }
    }
}
