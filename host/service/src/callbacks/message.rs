//! The body of a callback.

use jiff::Timestamp;
use partway_jobs::{JobRecord, JobState};
use serde::Serialize;

use crate::paths::{download_url, status_url};
use crate::state::export_state::ExportState;

/// How an export ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallbackMessage<'a> {
    export_id: &'a str,
    status: ExportState,
    database: &'a str,
    format: &'a str,
    /// Where the object is; none where there is none.
    location: Option<&'a str>,
    /// The object's key in its bucket; in a folder, its name.
    r2_key: Option<String>,
    name: Option<&'a str>,
    bytes: u64,
    sha256: Option<&'a str>,
    tables: u32,
    rows: u64,
    parts: u32,
    slices: u32,
    error: Option<&'a str>,
    /// Tables that could not be read to the end: the object is `incomplete`.
    damaged: &'a [String],
    warnings: &'a [String],
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    status_url: String,
    download_url: String,
}

impl<'a> CallbackMessage<'a> {
    /// About a finished job of this database.
    pub fn of(record: &'a JobRecord, database: &'a str) -> Self {
        let totals = &record.totals;
        let id = record.id.as_str();
        let name = record.object.as_deref().filter(|_| record.state == JobState::Done);
        Self {
            export_id: id,
            status: ExportState::of(record),
            database,
            format: &record.request.format,
            location: record.location.as_deref(),
            r2_key: name.map(|name| record.request.store.key(name)),
            name,
            bytes: totals.bytes,
            sha256: record.sha256.as_deref(),
            tables: totals.tables,
            rows: totals.rows,
            parts: totals.parts,
            slices: totals.slices,
            error: record.last_error.as_deref(),
            damaged: &totals.damaged,
            warnings: &totals.warnings,
            created_at: record.created_at,
            finished_at: record.finished_at,
            status_url: status_url(id),
            download_url: download_url(id),
        }
    }
}
