//! The component's two calls. Each finds the format by its name and leaves the rest to the slice.

use alloc::format;
use alloc::string::String;

use partway_format::Export;

use crate::checkpoint::{CheckpointText, SMALLEST_PART};
use crate::pipe::{Budget, Error, Options, Pacing, Parts, Rows, SliceResult};
use crate::{image, slice, sql, text_formats};

/// Checks the options against the schema and gives the first checkpoint.
///
/// # Errors
///
/// [`Error::InvalidOptions`] where the options make no sense or name what the database does not have, and the
/// errors of reading the schema.
pub fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
    if options.part_size < SMALLEST_PART {
        return Err(Error::InvalidOptions(format!(
            "a part size of {} bytes is too small: use at least {SMALLEST_PART}",
            options.part_size
        )));
    }
    match options.format.as_str() {
        "sql" => slice::start::<sql::Plan>(rows, options),
        "sqlite" => image::start(rows, options),
        _ => slice::start::<text_formats::Plan>(rows, options),
    }
}

/// Does one slice from a checkpoint on. After an error the same call may be made again.
///
/// # Errors
///
/// [`Error::InvalidCheckpoint`] where the checkpoint is damaged, of another version or of a database with
/// another schema, and the errors of reading rows and writing parts.
pub fn resume(
    rows: &impl Rows,
    parts: &mut impl Parts,
    pacing: &impl Pacing,
    from: &str,
    budget: Budget,
) -> Result<SliceResult, Error> {
    let from = CheckpointText::new(from)?;
    match from.format()?.as_str() {
        "sql" => slice::resume::<sql::Plan>(rows, parts, pacing, from, budget),
        "sqlite" => slice::resume::<image::Image>(rows, parts, pacing, from, budget),
        _ => slice::resume::<text_formats::Plan>(rows, parts, pacing, from, budget),
    }
}

/// All formats of the exporter, for a component.
pub struct Formats;

impl Export for Formats {
    fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
        start(rows, options)
    }

    fn resume(
        rows: &impl Rows,
        parts: &mut impl Parts,
        pacing: &impl Pacing,
        from: &str,
        budget: Budget,
    ) -> Result<SliceResult, Error> {
        resume(rows, parts, pacing, from, budget)
    }
}

/// No format has this name.
pub(crate) fn unknown_format(name: &str) -> Error {
    Error::InvalidOptions(format!(
        "this component does not know the format {name:?}: it writes \"sql\", \"sqlite\", \"csv\", \"ndjson\" and \
         \"json\"; \"parquet\" has a component of its own"
    ))
}
