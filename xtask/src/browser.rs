//! The browser that the service's page is tested in: Chromium, and chromedriver, by which the tests drive it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::run::output;

/// The packages that have them, on Debian.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Installs them where they are not.
pub fn browser() -> Result<()> {
    if has_driver() {
        return Ok(());
    }
    let missing = "the service's page is tested in Chromium: install it with chromedriver in its version \
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
