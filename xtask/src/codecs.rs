//! The programs of others that read compressed and encrypted objects, for the tests.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::apt;

/// Programs, and how they are asked whether they are there.
const PROGRAMS: [(&str, &str); 5] = [
    ("age", "--version"),
    ("age-keygen", "--version"),
    ("gzip", "--version"),
    ("lz4", "--version"),
    ("zstd", "--version"),
];

/// Debian's packages of them.
const PACKAGES: [&str; 4] = ["age", "gzip", "lz4", "zstd"];

/// Whether they are there; installs them where that is possible.
pub fn for_tests() -> Result<bool> {
    if !are_there() && Path::new("/usr/bin/apt-get").exists() {
        apt::install("test", &PACKAGES)
            .context("installing programs that decompress and decrypt")?;
    }
    let are_there = are_there();
    if !are_there {
        eprintln!(
            "test: age, gzip, lz4 or zstd is not available; the tests that compare with them are skipped"
        );
    }
    Ok(are_there)
}

fn are_there() -> bool {
    PROGRAMS.iter().all(|(program, version)| {
        let mut command = Command::new(program);
        command.arg(version).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
