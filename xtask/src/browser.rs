//! The browser that the service's page is tested in: Chromium, and chromedriver, through which the
//! tests control it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::run::output;

/// Debian's packages of both.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Installs them if they are missing.
pub fn browser() -> Result<()> {
    if has_driver() {
        return Ok(());
    }
    let missing = "the service's page is tested in Chromium: install Chromium and a matching chromedriver \
                   (Debian's packages chromium and chromium-driver), so that `chromedriver` can be started";
    apt::install("test", &PACKAGES).context(missing)?;
    if !has_driver() {
        bail!("{missing}");
    }
    Ok(())
}

fn has_driver() -> bool {
    output(Command::new("chromedriver").arg("--version")).is_ok()
}
