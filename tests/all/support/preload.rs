//! Libraries in C that make calls of the program fail.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library `tests/faults/NAME.c`, compiled into a folder, for `LD_PRELOAD`.
pub fn preload(name: &str, folder: &Path) -> PathBuf {
    let library = folder.join(name).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults").join(name);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
    compiler.arg(source.with_extension("c")).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "the C compiler failed");
    library
}
