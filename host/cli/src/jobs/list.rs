//! `partway jobs list`.

use std::io::{self, Write};
use std::path::Path;

use partway_jobs::{Clock, JobStore, SystemClock};
use tabwriter::TabWriter;

use super::elapsed::ago;
use super::select::none_in;
use super::view::{JobView, done, shown_state};
use crate::failure::Failure;
use crate::output::{check_written, message, print};

/// Lists all jobs, the newest first.
pub fn list(jobs: &JobStore, json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    let records = jobs.list()?;
    if json {
        for record in &records {
            print(&serde_json::to_string(&JobView::of(record, now)).map_err(anyhow::Error::from)?)?;
        }
        return Ok(());
    }
    if records.is_empty() {
        message!("{}", none_in(jobs.folder()));
        return Ok(());
    }
    let mut table = TabWriter::new(io::stdout()).padding(2);
    let mut write = || -> io::Result<()> {
        writeln!(table, "JOB\tSTATE\tDATABASE\tOBJECT\tDONE\tLAST PROGRESS")?;
        for record in &records {
            writeln!(
                table,
                "{}\t{}\t{}\t{}\t{}\t{}",
                record.id,
                shown_state(record, now),
                file_name(&record.request.database),
                record.location.as_deref().or(record.object.as_deref()).unwrap_or("-"),
                done(record),
                ago(now, record.moved_at),
            )?;
        }
        table.flush()
    };
    Ok(check_written(write())?)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
