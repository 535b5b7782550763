//! `cargo xtask test`: every test.

use anyhow::Result;

use crate::run::{cargo, run};
use crate::setup::setup;

/// Runs them all; `long` also those that take long.
pub fn test(long: bool) -> Result<()> {
    setup()?;
    // The end-to-end tests run the program as it is installed: as a process of its own. Built with all else, it
    // shares its dependencies with the tests.
    run(cargo().args(["build", "--workspace", "--all-targets"]))?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    if long {
        tests.args(["--", "--include-ignored"]);
    }
    run(&mut tests)
}
