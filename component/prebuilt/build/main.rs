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
    println!("cargo::rerun-if-changed=build");
    // Asked for now: the script may have been compiled in another clone that shares the target folder.
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for component in COMPONENTS {
        component.put(&here, &out)?;
    }
    #[cfg(feature = "precompiled")]
    precompile::write(&out.join("exporter.wasm"), &out.join("exporter.cwasm"))?;
    Ok(())
}

/// A component of the repository.
struct Component {
    /// Its folder in `component/`, and its file's name; its crate is `partway-` and that.
    name: &'static str,
    /// The variable that names a component that is already built.
    variable: &'static str,
}

const COMPONENTS: [Component; 4] = [
    Component { name: "exporter", variable: "PARTWAY_COMPONENT" },
    Component { name: "importer", variable: "PARTWAY_IMPORTER" },
    Component { name: "parquet", variable: "PARTWAY_PARQUET" },
    Component { name: "redactor", variable: "PARTWAY_REDACTOR" },
];

impl Component {
    /// Puts the component into the folder `out`.
    fn put(&self, here: &Path, out: &Path) -> Result<()> {
        let Self { name, variable } = self;
        println!("cargo::rerun-if-env-changed={variable}");
        let file = &out.join(format!("{name}.wasm"));
        if let Some(given) = env::var_os(variable).filter(|given| !given.is_empty()) {
            return copy(&format!("{variable}="), Path::new(&given), file);
        }
        let root = here.join("../..");
        if root.join(format!("component/{name}/Cargo.toml")).is_file() {
            for name in VARIABLES {
                println!("cargo::rerun-if-env-changed={name}");
            }
            // What only looks at the code needs no component.
            return if is_lint_or_docs() {
                Ok(fs::write(file, [])?)
            } else {
                build(&root, out, name, file)
            };
        }
        let packed = here.join(format!("{name}.wasm"));
        if !packed.is_file() {
            return Err(format!(
                "this package was made without the component {name}.wasm: `cargo xtask package` in Partway's \
                 repository puts it in; or set {variable} to one that is already built"
            )
            .into());
        }
        copy("", &packed, file)
    }
}

fn copy(prefix: &str, from: &Path, to: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", from.display());
    fs::copy(from, to)
        .map_err(|error| format!("{prefix}{} can't be read: {error}", from.display()))?;
    Ok(())
}

/// Builds a component from its source. The program that does is compiled in a target folder of its own, and so adds
/// nothing to what users of this package compile. All profiles and components share it, and the standard library that a
/// component is compiled with.
fn build(root: &Path, out: &Path, name: &str, file: &Path) -> Result<()> {
    let folder = root.join("component").join(name);
    let inputs = ["Cargo.toml", "src", "wit"].map(|input| folder.join(input));
    let shared = ["Cargo.lock", "component/format", "component/rows", "xtask/components"];
    let shared = shared.map(|input| root.join(input));
    for input in inputs.iter().chain(&shared) {
        println!("cargo::rerun-if-changed={}", input.display());
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
        .arg(folder.join("Cargo.toml"))
        .arg(format!("partway-{name}"))
        .arg(target.join("wasm"))
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
