//! Node.js, which `cargo xtask test` finds or installs.

use std::io::Write;
use std::path::PathBuf;

/// A program of Node.js that has `node:sqlite`; none, and a line that says so, where the environment has none.
pub fn node() -> Option<PathBuf> {
    let node = std::env::var_os("PARTWAY_TEST_NODE").map(PathBuf::from);
    if node.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the test harness, which keeps what a good test prints.
        writeln!(
            std::io::stderr(),
            "SKIPPED {test} in Node.js: it needs version 22.16; `cargo xtask test` installs it where there is npm"
        )
        .ok();
    }
    node
}
