//! The component's options as a job keeps them.

use partway_wasmtime::exporter::Options;
use serde::{Deserialize, Serialize};

use crate::format_settings::skip_damaged;
use crate::record::JobRecord;

/// The JSON form of [`Options`], for `#[serde(with = …)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Options")]
pub(crate) struct SavedOptions {
    format: String,
    tables: Vec<String>,
    part_size: u32,
    settings: Vec<(String, String)>,
}

/// The component's options for a job.
pub(crate) fn options(record: &JobRecord, part_size: u32) -> Options {
    let request = &record.request;
    let mut settings = request.settings.clone();
    if record.skips_damaged {
        settings.push(skip_damaged());
    }
    Options { format: request.format.clone(), tables: request.tables.clone(), part_size, settings }
}
