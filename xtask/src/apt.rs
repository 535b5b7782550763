//! Debian's packages.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run::{run, shown};

/// Installs packages, without those that they merely recommend. `task` is named in the output.
pub fn install(task: &str, packages: &[&str]) -> Result<()> {
    let install = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    for arguments in [vec!["update", "--quiet=2"], [&install, packages].concat()] {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        println!("{task}: {}", shown(&command));
        run(&mut command)?;
    }
    Ok(())
}
