//! `cargo xtask extension`: builds the extension that SQLite loads.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, run, target};
use crate::setup::setup;

/// Its feature: the build has no SQLite of its own.
const FEATURE: &str = "partway-sqlite-extension/loadable_extension";

/// Builds it in release mode, as `target/dist/partway.so`.
pub fn extension() -> Result<()> {
    setup()?;
    let package = ["--release", "--package", "partway-sqlite-extension"];
    run(cargo().arg("build").args(package).args(["--example", "partway", "--features", FEATURE]))?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    // By this name, `.load ./partway` finds it.
    let file = folder.join(format!("partway{DLL_SUFFIX}"));
    let built = built("release");
    let bytes = fs::copy(&built, &file).with_context(|| format!("copying {}", built.display()))?;
    println!("{} ({bytes} bytes)", file.display());
    Ok(())
}

/// Builds it for the tests, and returns its file. With the same features as the tests, and after them, it compiles only what
/// uses SQLite again, and not wasmtime.
pub fn for_tests(features: &[&str]) -> Result<PathBuf> {
    run(cargo()
        .args(["build", "--workspace", "--example", "partway", "--features", FEATURE])
        .args(features))?;
    Ok(built("debug"))
}

fn built(profile: &str) -> PathBuf {
    target().join(profile).join("examples").join(format!("{DLL_PREFIX}partway{DLL_SUFFIX}"))
}
