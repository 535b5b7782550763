//! The compiler of C for wasm: of the codec component, and of `examples/all-wasi`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt;
use crate::run::output;

/// Debian's package of the compiler, and its program.
const CLANG: &str = "clang-22";

/// A clang that compiles to wasm, as Apple's does not; installed where that is possible. None: there is none.
pub fn clang() -> Result<Option<&'static str>> {
    let compiles = |clang: &&str| {
        let targets = output(Command::new(*clang).arg("--print-targets"));
        targets.is_ok_and(|targets| targets.contains("wasm32"))
    };
    let find = || [CLANG, "clang"].into_iter().find(compiles);
    if find().is_none() && Path::new("/usr/bin/apt-get").exists() {
        apt::install("test", &[CLANG]).context("installing a compiler of C for wasm")?;
    }
    Ok(find())
}
