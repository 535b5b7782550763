//! `cargo xtask setup`: installs a toolchain that compiles the component.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use partway_component_build::{TARGET, Toolchain};

use crate::apt;
use crate::run::shown;

/// How long `rustup target add` may take: if it can't reach its server, it hangs.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Uses what is already installed, or the first way that works.
pub fn setup() -> Result<()> {
    let given = |name: &&str| env::var_os(name).filter(|file| !file.is_empty());
    let variables =
        ["PARTWAY_COMPONENT", "PARTWAY_IMPORTER", "PARTWAY_PARQUET", "PARTWAY_REDACTOR"];
    let files: Vec<PathBuf> = variables.iter().filter_map(given).map(PathBuf::from).collect();
    if files.len() == variables.len() {
        for (variable, file) in variables.iter().zip(files) {
            println!("setup: a component is {} ({variable})", file.display());
        }
        return Ok(());
    }
    if let Ok(toolchain) = Toolchain::find() {
        println!("setup: ready to build the component with {}", described(&toolchain));
        return Ok(());
    }
    let pinned = env::var("PARTWAY_TOOLCHAIN").unwrap_or_default();
    for name in ["rustup", "debian"] {
        if !pinned.is_empty() && pinned != name {
            continue;
        }
        match if name == "rustup" { rustup() } else { debian() } {
            Ok(()) if Toolchain::find().is_ok() => break,
            Ok(()) => println!("setup: that did not help"),
            Err(error) => println!("setup: {error:#}"),
        }
    }
    let toolchain = Toolchain::find()?;
    println!("setup: ready to build the component with {}", described(&toolchain));
    Ok(())
}

fn described(toolchain: &Toolchain) -> String {
    match toolchain {
        Toolchain::Rustup { .. } => format!("this toolchain's {TARGET}"),
        Toolchain::Debian => "Debian's rustc-web".to_owned(),
    }
}

fn rustup() -> Result<()> {
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).stdin(Stdio::null());
    println!("setup: {}", shown(&command));
    let mut child = command.spawn().context("rustup can't be started")?;
    let Some(status) = wait(&mut child)? else {
        child.kill()?;
        child.wait()?;
        bail!("rustup did not finish within {} s", RUSTUP_TIMEOUT.as_secs());
    };
    if !status.success() {
        bail!("rustup failed ({status})");
    }
    Ok(())
}

fn wait(child: &mut Child) -> Result<Option<std::process::ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < RUSTUP_TIMEOUT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        sleep(Duration::from_millis(100));
    }
    Ok(None)
}

fn debian() -> Result<()> {
    apt::install("setup", &Toolchain::DEBIAN_PACKAGES)
}
