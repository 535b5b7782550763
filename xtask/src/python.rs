//! Python tools: programs for the tests, and a client for the benchmarks.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::run::{output, run, target};

/// What the tests run: a client generated from the service's own description, a reader of its
/// metrics, SQLite libraries other than those of Partway and of Python, what the examples need, and a server that loads
/// SQLite extensions.
const PACKAGES: [&str; 11] = [
    "schemathesis==4.32.5",
    "prometheus_client==0.26.0",
    "apsw==3.54.1.0",
    "pysqlite3-binary==0.5.4.post2",
    "wasmtime==50.0.1",
    "pyturso==0.8.3",
    "duckdb==2.0.1",
    "componentize-py==0.25.1",
    "datasette==0.65.5",
    "pyarrow==26.0.1",
    "xxhash==4.1.0",
];

/// The folder of the programs, installed from PyPI if they are missing; none, with a message, if
/// there is no suitable Python.
pub fn tools() -> Result<Option<PathBuf>> {
    let tools = environment("python", &PACKAGES)?;
    if tools.is_none() {
        eprintln!(
            "test: Python 3.10 with venv is not available; the service is not tested against its description, and \
             restored databases are compared by the library inside the tests alone, and neither the examples in \
             Python nor the extension in Python are run"
        );
    }
    Ok(tools)
}

/// The program folder of a separate environment with packages, installed from PyPI if they are
/// missing; none if there is no suitable Python.
pub fn environment(name: &str, packages: &[&str]) -> Result<Option<PathBuf>> {
    let is_new_enough = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    if output(Command::new("python3").args(["-c", is_new_enough])).is_err() {
        return Ok(None);
    }
    let folder = target().join("tools").join(name);
    // Written last: without it, the installation may be incomplete or of other versions.
    let (list, wanted) = (folder.join("packages"), packages.join("\n"));
    if fs::read_to_string(&list).ok().as_deref() != Some(&wanted) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(folder.join("bin/python")).args(install).args(packages))?;
        fs::write(&list, wanted)?;
    }
    Ok(Some(folder.join("bin")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn the_examples_are_tested_with_what_they_ask_for() {
        for example in ["host-python", "other-engines", "format-python"] {
            let file = root().join("examples").join(example).join("requirements.txt");
            for package in fs::read_to_string(file).unwrap().lines() {
                assert!(PACKAGES.contains(&package), "{package}");
            }
        }
    }
}
