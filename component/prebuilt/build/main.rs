//! Leaves the components where the crate includes them from: as packed, or built from their sources in the repository.

#[cfg(feature = "precompiled")]
mod precompile;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The variables that decide what is built in the repository. The last three tell a stub from the component: without
/// them, a build after a lint would keep it.
const VARIABLES: [&str; 4] =
    ["PARTWAY_TOOLCHAIN", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "DOCS_RS"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-env-changed=PARTWAY_COMPONENT");
    println!("cargo::rerun-if-changed=build");
    // Asked for now: the script may have been compiled in another clone that shares the target folder.
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let exporter = out.join("exporter.wasm");
    put_exporter(&here, &out, &exporter)?;
    #[cfg(feature = "precompiled")]
    precompile::write(&exporter, &out.join("exporter.cwasm"))?;
    Ok(())
}

/// Puts the export component into `file`.
fn put_exporter(here: &Path, out: &Path, file: &Path) -> Result<()> {
    if let Some(given) = env::var_os("PARTWAY_COMPONENT").filter(|given| !given.is_empty()) {
        return copy("PARTWAY_COMPONENT=", Path::new(&given), file);
    }
    let root = here.join("../..");
    if root.join("component/exporter/Cargo.toml").is_file() {
        for name in VARIABLES {
            println!("cargo::rerun-if-env-changed={name}");
        }
        // What only looks at the code needs no component.
        return if is_lint_or_docs() { Ok(fs::write(file, [])?) } else { build(&root, out, file) };
    }
    let packed = here.join("exporter.wasm");
    if !packed.is_file() {
        return Err("this package was made without its component: `cargo xtask package` in Partway's repository \
                    puts it in; or set PARTWAY_COMPONENT to a component that is already built"
            .into());
    }
    copy("", &packed, file)
}

fn copy(prefix: &str, from: &Path, to: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", from.display());
    fs::copy(from, to)
        .map_err(|error| format!("{prefix}{} can't be read: {error}", from.display()))?;
    Ok(())
}

/// Builds the component from its source. The program that does is compiled in a target folder of its own, which all
/// profiles share, and so adds nothing to what users of this package compile.
fn build(root: &Path, out: &Path, file: &Path) -> Result<()> {
    let inputs = [
        "component/exporter/Cargo.toml",
        "component/exporter/src",
        "component/exporter/wit",
        "Cargo.lock",
    ];
    for input in inputs.iter().chain(&["xtask/components"]) {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    let target = out.ancestors().nth(4).unwrap_or(out).join("component-build");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_build(name)) {
        cargo.env_remove(name);
    }
    cargo
        .args(["run", "--quiet", "--package", "partway-component-build", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .arg("--")
        .arg(root.join("component/exporter/Cargo.toml"))
        .arg("partway-exporter")
        .arg(out.join("component"))
        .arg(file);
    let output = cargo.output().map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

/// Whether a variable is about this very build: its flags, wrappers and target folder are not for another one.
/// CARGO_HOME holds the registry's settings and what is downloaded already.
fn is_of_this_build(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let is = |prefix| name.starts_with(prefix);
    (is("CARGO") && name != "CARGO_HOME")
        || is("RUSTFLAGS")
        || is("RUSTDOC")
        || is("RUSTC_W")
        || is("CLIPPY")
}

/// clippy-driver, or rustdoc on docs.rs: both set a variable.
fn is_lint_or_docs() -> bool {
    let wrapper = env::var_os("RUSTC_WORKSPACE_WRAPPER").or_else(|| env::var_os("CLIPPY_ARGS"));
    wrapper.is_some_and(|wrapper| wrapper.to_string_lossy().contains("clippy"))
        || env::var_os("DOCS_RS").is_some()
}
