//! Programs in Python, which `cargo xtask test` installs.

use std::io::Write;
use std::path::PathBuf;

/// The folder of a program in Python; none, and a line that says so, where the environment has none.
pub fn python_tools() -> Option<PathBuf> {
    let folder = std::env::var_os("PARTWAY_TEST_PYTHON_TOOLS").map(PathBuf::from);
    if folder.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the test harness, which keeps what a good test prints.
        writeln!(
            std::io::stderr(),
            "SKIPPED {test}: it needs programs in Python; `cargo xtask test` installs them"
        )
        .ok();
    }
    folder
}
