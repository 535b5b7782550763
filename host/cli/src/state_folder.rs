//! The folder that jobs are kept in.

use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;

/// The state folder: the one given by `--state`, or else the platform's.
pub fn state_folder(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let folders = etcetera::choose_base_strategy()
        .context("this system has no folder for the state of programs: choose one with --state")?;
    // Some platforms keep state where they keep data.
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("partway"))
}
