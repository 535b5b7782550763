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
    let mut wanted = Vec::new();
    for (component, variable) in [
        (EXPORTER, "PARTWAY_COMPONENT"),
        (IMPORTER, "PARTWAY_IMPORTER"),
        (PARQUET, "PARTWAY_PARQUET"),
        (REDACTOR, "PARTWAY_REDACTOR"),
    ] {
        match given(variable) {
            Some(file) => copy(&format!("{variable}="), &file, &component.file(&out))?,
            None => wanted.push(component),
        }
    }
    // It has the exporter and the redactor inside, which are not those that were given.
    if given("PARTWAY_COMPONENT").or_else(|| given("PARTWAY_REDACTOR")).is_some() {
        fs::write(REDACTING_EXPORTER.file(&out), [])?;
    } else {
        wanted.push(REDACTING_EXPORTER);
    }
    let root = here.join("../..");
    if root.join("component/exporter-component").is_dir() {
        from_sources(&root, &out, &wanted)?;
    } else {
        wanted.iter().try_for_each(|component| component.unpack(&here, &out))?;
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

/// A component of the repository, by its file's name. Its crate is `partway-NAME-component`, in the folder `NAME-component`
/// of `component/`.
struct Component(&'static str);

const EXPORTER: Component = Component("exporter");
const IMPORTER: Component = Component("importer");
const PARQUET: Component = Component("parquet");
const REDACTOR: Component = Component("redactor");
const REDACTING_EXPORTER: Component = Component("redacting-exporter");

impl Component {
    /// Where it is put in a folder.
    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.wasm", self.0))
    }

    /// Copies it from the package into the folder `out`.
    fn unpack(&self, here: &Path, out: &Path) -> Result<()> {
        let packed = self.file(here);
        if !packed.is_file() {
            return Err(format!(
                "this package was made without the component {}.wasm: `cargo xtask package` in Partway's repository \
                 puts it in; or set PARTWAY_COMPONENT, PARTWAY_IMPORTER, PARTWAY_PARQUET and PARTWAY_REDACTOR to the \
                 files of components that are already built",
                self.0
            )
            .into());
        }
        copy("", &packed, &self.file(out))
    }
}

/// Puts components of the repository into the folder `out`.
fn from_sources(root: &Path, out: &Path, components: &[Component]) -> Result<()> {
    for name in VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if is_lint_or_docs() {
        // What only looks at the code needs no component.
        return components.iter().try_for_each(|component| Ok(fs::write(component.file(out), [])?));
    }
    rerun_if_changed(root, components);
    build(root, out, components)
}

/// Builds components from their sources. The program that does is compiled in a target folder of its own, and so adds
/// nothing to what users of this package compile. All profiles share it, and the standard library that the components are
/// compiled with.
fn build(root: &Path, out: &Path, components: &[Component]) -> Result<()> {
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
        .arg(root.join("Cargo.toml"))
        .arg(target.join("wasm"));
    for component in components {
        let mut argument = OsString::from(format!("partway-{}-component=", component.0));
        argument.push(component.file(out));
        cargo.arg(argument);
    }
    let output = cargo.output().map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

/// The folders in `component/` of what the components are made of.
const LIBRARIES: [&str; 6] = ["exporter", "format", "importer", "parquet", "redactor", "rows"];

/// Builds again when the components' crates or what they are made of change.
fn rerun_if_changed(root: &Path, components: &[Component]) {
    let own = components.iter().map(|component| format!("{}-component", component.0));
    let crates = LIBRARIES.map(str::to_owned).into_iter().chain(own);
    let inputs = crates.flat_map(|name| {
        ["Cargo.toml", "src", "wit"].map(|input| root.join("component").join(&name).join(input))
    });
    let shared = ["Cargo.lock", "wit", "xtask/components"].map(|input| root.join(input));
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
