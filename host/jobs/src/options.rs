//! The component's options as a job keeps them.

use partway_wasmtime::exporter::Options;
use serde::{Deserialize, Serialize};

use crate::format_settings::skip_damaged;
use crate::record::JobRecord;
use crate::request::ExportRequest;
use crate::subset::settings_of_table;

/// The JSON form of [`Options`], for `#[serde(with = …)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Options")]
pub(crate) struct SavedOptions {
    format: String,
    tables: Vec<String>,
    part_size: u32,
    settings: Vec<(String, String)>,
}

/// The component's options for a job, or for its object of one table.
pub(crate) fn options(record: &JobRecord, table: Option<&str>, part_size: u32) -> Options {
    let mut options = requested_options(&record.request, table, part_size);
    if record.skips_damaged {
        options.settings.push(skip_damaged());
    }
    options
}

/// The component's options for a request, or for its object of one table.
pub(crate) fn requested_options(
    request: &ExportRequest,
    table: Option<&str>,
    part_size: u32,
) -> Options {
    let (tables, settings) = match table {
        Some(table) => (vec![table.to_owned()], settings_of_table(&request.settings, table)),
        None => (request.tables.clone(), request.settings.clone()),
    };
    Options { format: request.format.clone(), tables, part_size, settings }
}
