//! The `wasmtime` program, which `cargo xtask test` installs.

use std::io::Write;
use std::path::PathBuf;

/// The program; none, and a line that says so, where the environment has none, or no compiler of C for wasm.
pub fn wasmtime() -> Option<PathBuf> {
    let wasmtime = std::env::var_os("PARTWAY_TEST_WASMTIME").map(PathBuf::from);
    if wasmtime.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the test harness, which keeps what a good test prints.
        writeln!(
            std::io::stderr(),
            "SKIPPED {test}: it needs wasmtime and clang; `cargo xtask test` installs them on Debian"
        )
        .ok();
    }
    wasmtime
}
