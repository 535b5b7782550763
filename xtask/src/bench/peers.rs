//! The programs that are measured.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, run, shown, target};
use crate::test::build_for_tests;

/// What is built for it.
pub struct Programs {
    pub partway: PathBuf,
    /// The floor and the native formatter.
    pub peers: PathBuf,
}

impl Programs {
    /// Builds them for speed, both at once, so that they read with the same SQLite.
    pub fn build() -> Result<Self> {
        run(cargo().args([
            "build",
            "--release",
            "--package",
            "partway",
            "--package",
            "partway-peers",
        ]))?;
        Ok(Self::built("release"))
    }

    /// Builds them as the tests use them. The profile optimizes what matters to an export.
    pub fn build_for_tests() -> Result<Self> {
        build_for_tests()?;
        Ok(Self::built("debug"))
    }

    fn built(profile: &str) -> Self {
        let program = |name: &str| {
            target().join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
        };
        Self { partway: program("partway"), peers: program("partway-peers") }
    }
}

/// A program that makes a dump, or does a part of the work.
#[derive(Clone, Copy)]
pub enum Peer {
    /// `sqlite3 FILE .dump`.
    Dump,
    /// `partway export FILE`.
    Partway,
    /// Reads every cell, and writes nothing.
    Floor,
    /// The exporter's code outside WebAssembly, on one thread.
    Native,
    /// `iterdump` of Python's module sqlite3.
    Python,
}

impl Peer {
    /// The command that writes a dump of a database to standard output, which is discarded.
    pub fn command(self, programs: &Programs, database: &Path) -> Command {
        let mut command = Command::new(match self {
            Self::Dump => Path::new("sqlite3"),
            Self::Partway => &programs.partway,
            Self::Floor | Self::Native => &programs.peers,
            Self::Python => Path::new("python3"),
        });
        match self {
            Self::Dump => command.arg(database).arg(".dump"),
            Self::Partway => command.arg("export").arg(database),
            Self::Floor => command.arg("floor").arg(database),
            Self::Native => command.arg("native").arg(database),
            Self::Python => command.args(["-c", ITERDUMP]).arg(database),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// As in Python's documentation of `Connection.iterdump`.
const ITERDUMP: &str = "\
import sqlite3, sys
for line in sqlite3.connect(sys.argv[1]).iterdump():
    sys.stdout.write(line + '\\n')
";

/// `partway export` to a folder or bucket, with its state in another folder.
pub fn export_to(
    partway: &Path,
    database: &Path,
    store: impl AsRef<std::ffi::OsStr>,
    folder: &Path,
) -> Command {
    let mut command = Command::new(partway);
    command.arg("export").arg(database).arg("--to").arg(store);
    command.arg("--state").arg(folder.join("state"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How many bytes a command prints.
pub fn printed(command: &mut Command) -> Result<u64> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", shown(command)))?;
    let mut text = child.stdout.take().context("no pipe")?;
    let bytes = io::copy(&mut text, &mut io::sink())?;
    let status = child.wait()?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(bytes)
}
