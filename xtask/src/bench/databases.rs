//! The databases that are exported: generated, the same bytes every time, and kept for the next run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use partway_testbed::Shape;

use crate::demo::ignore_missing;
use crate::run::target;

/// The part size of exports to S3, and of those whose memory is measured, in bytes.
pub const PART_SIZE: u64 = 8 * 1024 * 1024;

/// Where they are, and everything else that measurements write.
pub fn folder() -> Result<PathBuf> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A database of a shape.
pub fn shaped(folder: &Path, shape: Shape, megabytes: u64) -> Result<PathBuf> {
    generated(folder, shape.name(), megabytes, |file, megabytes| shape.write(file, megabytes))
}

/// A database of about this many megabytes, generated when first needed.
pub fn generated(
    folder: &Path,
    kind: &str,
    megabytes: u64,
    write: impl FnOnce(&Path, u64) -> Result<()>,
) -> Result<PathBuf> {
    let file = folder.join(format!("{kind}-{megabytes}.db"));
    if !file.exists() {
        println!("generating {} …", file.display());
        let unfinished = folder.join(format!("{kind}.new"));
        fs::remove_file(&unfinished).or_else(ignore_missing)?;
        write(&unfinished, megabytes)?;
        fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}

/// A file's length in megabytes.
pub fn megabytes(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.len() as f64 / 1e6)
}
