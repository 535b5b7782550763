//! The npm package of the Durable Object host: its own tests, in the real workerd.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{output, root, run, target};

/// Whether its tests can run here: Node.js 20 with npm, which workerd comes by.
pub fn has_node() -> bool {
    let version = |program| output(Command::new(program).arg("--version")).ok();
    let node = version("node").and_then(|text| {
        text.trim().trim_start_matches('v').split('.').next()?.parse::<u32>().ok()
    });
    node.is_some_and(|major| major >= 20) && version(NPM).is_some()
}

/// Installs what the package needs from npm, builds it and runs its tests. The program and the component that they
/// compare with must have been built by `cargo build`. `codec`: the file of the codec component; without it, there is nothing
/// that the package can be built of. `python`: the folder of a Python that reads Parquet.
pub fn test(codec: Option<&Path>, python: Option<&Path>) -> Result<()> {
    let Some(codec) = codec else {
        eprintln!(
            "test: the tests of host/cloudflare are skipped: its package has the codec component in it"
        );
        return Ok(());
    };
    run(&mut npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"], codec))?;
    let mut test = npm(&["test"], codec);
    if let Some(folder) = python {
        test.env("PARTWAY_TEST_PYTHON_TOOLS", folder);
    }
    run(&mut test).context("testing host/cloudflare")
}

/// The program npm.
pub const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

fn npm(arguments: &[&str], codec: &Path) -> Command {
    let program = format!("debug/partway{}", std::env::consts::EXE_SUFFIX);
    let mut npm = Command::new(NPM);
    npm.args(arguments)
        .current_dir(root().join("host/cloudflare"))
        .env("CARGO_TARGET_DIR", target())
        .env("PARTWAY_CODEC", codec)
        .env("PARTWAY_PROGRAM", target().join(program));
    npm
}
