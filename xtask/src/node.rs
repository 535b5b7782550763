//! Node.js for the examples in JavaScript; with `node:sqlite`, which one of them needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cloudflare::NPM;
use crate::run::{output, root, run, target};

/// The first version that has all that the examples use, as major and minor numbers.
const FIRST: (u32, u32) = (22, 16);

/// What is installed where the machine's own is older.
const VERSION: &str = "22.23.5";

/// A program of Node.js for the examples, whose packages are installed: the machine's own, or one from npm. None, with a
/// message: there is no npm either.
pub fn for_examples() -> Result<Option<PathBuf>> {
    if output(Command::new(NPM).arg("--version")).is_err() {
        eprintln!("test: npm is not available; the examples in JavaScript are not run");
        return Ok(None);
    }
    let node = match is_new_enough(Path::new("node")) {
        true => PathBuf::from("node"),
        false => installed().context("installing Node.js from npm")?,
    };
    for example in ["host-node", "format-javascript"] {
        let folder = root().join("examples").join(example);
        run(Command::new(NPM)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .current_dir(folder))
        .with_context(|| format!("installing the packages of examples/{example}"))?;
    }
    Ok(Some(node))
}

fn is_new_enough(node: &Path) -> bool {
    let Ok(text) = output(Command::new(node).arg("--version")) else { return false };
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= FIRST,
        _ => false,
    }
}

/// npm has the program itself, in a package for each kind of machine.
fn installed() -> Result<PathBuf> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win",
        other => other,
    };
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("node-{system}-{machine}");
    let folder = target().join("tools/node");
    let program = format!("bin/node{}", std::env::consts::EXE_SUFFIX);
    let node = folder.join("node_modules").join(&package).join(program);
    if !is_new_enough(&node) {
        std::fs::create_dir_all(&folder)?;
        run(Command::new(NPM)
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-save",
                "--prefix",
            ])
            .arg(&folder)
            .arg(format!("{package}@{VERSION}")))?;
    }
    Ok(node)
}
