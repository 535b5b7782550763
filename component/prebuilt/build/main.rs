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
    for (component, variable) in [
        (EXPORTER, "PARTWAY_COMPONENT"),
        (IMPORTER, "PARTWAY_IMPORTER"),
        (REDACTOR, "PARTWAY_REDACTOR"),
    ] {
        match given(variable) {
            Some(file) => copy(&format!("{variable}="), &file, &component.file(&out))?,
            None => component.put(&here, &out)?,
        }
    }
    // It has the exporter and the redactor inside, which are not those that were given.
    if given("PARTWAY_COMPONENT").or_else(|| given("PARTWAY_REDACTOR")).is_some() {
        fs::write(REDACTING_EXPORTER.file(&out), [])?;
    } else {
        REDACTING_EXPORTER.put(&here, &out)?;
    }
    #[cfg(feature = "precompiled")]
    precompile::write(&out.join("exporter.wasm"), &out.join("exporter.cwasm"))?;
    Ok(())
}

/// The file of a component that is already built, where a variable names one.
fn given(variable: &str) -> Option<PathBuf> {
    println!("cargo::rerun-if-env-changed={variable}");
    env::var_os(variable).filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// A component of the repository.
struct Component {
    /// Its file's name.
    name: &'static str,
    /// Its crate's folder in `component/`; the crate is `partway-` and that.
    folder: &'static str,
}

const EXPORTER: Component = Component { name: "exporter", folder: "exporter-component" };
const IMPORTER: Component = Component { name: "importer", folder: "importer" };
const REDACTOR: Component = Component { name: "redactor", folder: "redactor-component" };
const REDACTING_EXPORTER: Component =
    Component { name: "redacting-exporter", folder: "redacting-exporter" };

/// The folders in `component/` of what the components are made of.
const LIBRARIES: [&str; 5] = ["exporter", "format", "parquet", "redactor", "rows"];

impl Component {
    /// Where it is put in a folder.
    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.wasm", self.name))
    }

    /// Puts the component into the folder `out`.
    fn put(&self, here: &Path, out: &Path) -> Result<()> {
        let root = here.join("../..");
        if root.join("component").join(self.folder).join("Cargo.toml").is_file() {
            for name in VARIABLES {
                println!("cargo::rerun-if-env-changed={name}");
            }
            // What only looks at the code needs no component.
            return if is_lint_or_docs() {
                Ok(fs::write(self.file(out), [])?)
            } else {
                self.build(&root, out)
            };
        }
        let packed = self.file(here);
        if !packed.is_file() {
            return Err(format!(
                "this package was made without the component {}.wasm: `cargo xtask package` in Partway's repository \
                 puts it in; or set PARTWAY_COMPONENT, PARTWAY_IMPORTER and PARTWAY_REDACTOR to the files of components \
                 that are already built",
                self.name
            )
            .into());
        }
        copy("", &packed, &self.file(out))
    }

    /// Builds a component from its source. The program that does is compiled in a target folder of its own, and so adds
    /// nothing to what users of this package compile. All profiles and components share it, and what the components are
    /// compiled with.
    fn build(&self, root: &Path, out: &Path) -> Result<()> {
        let folder = root.join("component").join(self.folder);
        rerun_if_changed(root, &folder);
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
            .arg(format!("partway-{}", self.folder))
            .arg(target.join("wasm"))
            .arg(self.file(out));
        let output =
            cargo.output().map_err(|error| format!("cargo could not be started: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(())
    }
}

/// Builds again when the component's crate, in this folder, or what it is made of changes.
fn rerun_if_changed(root: &Path, folder: &Path) {
    let libraries = LIBRARIES.map(|library| root.join("component").join(library));
    let crates = libraries.iter().map(PathBuf::as_path).chain([folder]);
    let inputs =
        crates.flat_map(|folder| ["Cargo.toml", "src", "wit"].map(|input| folder.join(input)));
    let shared = ["Cargo.lock", "xtask/components"].map(|input| root.join(input));
    // A file that is not there would have changed each time.
    for input in inputs.chain(shared).filter(|input| input.exists()) {
        println!("cargo::rerun-if-changed={}", input.display());
    }
}

fn copy(prefix: &str, from: &Path, to: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", from.display());
    fs::copy(from, to)
        .map_err(|error| format!("{prefix}{} can't be read: {error}", from.display()))?;
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
