//! `cargo xtask test`: every test, and whether speed was lost.

use anyhow::{Context, Result};

use crate::all_wasi;
use crate::bench;
use crate::browser::browser;
use crate::cloudflare::{self, has_node};
use crate::codec;
use crate::codecs;
use crate::extension;
use crate::garage::Garage;
use crate::node;
use crate::python;
use crate::run::{cargo, run};
use crate::setup::setup;

/// Runs all tests; with `long`, the slow ones too.
pub fn test(long: bool) -> Result<()> {
    setup()?;
    browser()?;
    let has_node = has_node();
    if !has_node {
        eprintln!(
            "test: Node.js 20 with npm is not available; the tests of --target d1 and of host/cloudflare are skipped"
        );
    }
    let features = features(has_node);
    build_for_tests()?;
    // A real S3 server for them. It is stopped however the tests end.
    let folder = tempfile::tempdir()?;
    let garage = Garage::start(folder.path()).context("starting an S3 server for the tests")?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]).args(features).envs(garage.for_tests());
    tests.env("PARTWAY_TEST_EXTENSION", extension::for_tests(features)?);
    let python = python::tools().context("installing Python programs for the tests")?;
    if let Some(folder) = &python {
        tests.env("PARTWAY_TEST_PYTHON_TOOLS", folder);
    }
    if let Some(node) = node::for_examples()? {
        tests.env("PARTWAY_TEST_NODE", node);
    }
    let codec = codec::for_tests()?;
    tests.envs(codec.iter().map(|file| ("PARTWAY_TEST_CODEC", file)));
    if codecs::for_tests()? {
        tests.env("PARTWAY_TEST_CODECS", "1");
    }
    tests.envs(all_wasi::for_example()?.into_iter().flatten());
    if long {
        tests.args(["--", "--include-ignored"]);
        let elsewhere = MEASURING.iter().chain([&LONG_SIMULATION]);
        tests.args(elsewhere.flat_map(|test| ["--skip", *test]));
    }
    run(&mut tests)?;
    if long {
        // One after another, with nothing in parallel. For the whole workspace, so that nothing is
        // rebuilt.
        run(cargo()
            .args(["test", "--workspace", "--test", "all"])
            .args(features)
            .args(["--", "--ignored", "--test-threads", "1"])
            .args(MEASURING))?;
        run(cargo()
            .args(["test", "--release", "--package", "partway-tests", "--test", "all"])
            .args(["--", "--ignored", "--nocapture", LONG_SIMULATION]))?;
    }
    if has_node {
        cloudflare::test(codec.as_deref(), python.as_deref())?;
    }
    // Alone: in parallel with tests, it would measure them as well.
    drop(garage);
    bench::check()
}

/// Builds the tests and the program. The end-to-end tests run the program as it is installed: as a separate process.
/// Built with everything else, it shares its dependencies with the tests.
pub fn build_for_tests() -> Result<()> {
    run(cargo().args(["build", "--workspace", "--all-targets"]).args(features(has_node())))
}

fn features(has_node: bool) -> &'static [&'static str] {
    if has_node { &["--features", "partway-tests/workerd"] } else { &[] }
}

/// End-to-end tests that measure memory or time.
const MEASURING: [&str; 2] = ["dump::large_values::", "service::load::"];

/// So many schedules that an optimized build is worth it.
const LONG_SIMULATION: &str = "jobs::simulation::hundreds_of_thousands_of_schedules";
