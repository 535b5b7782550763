//! From a crate to a component: compile, then encode.

use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::toolchain::{Library, TARGET, Toolchain};

/// Why a component could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// cargo could not be started.
    #[error("cargo could not be started to build {crate_name}")]
    Start {
        /// The component's crate.
        crate_name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Compiling failed.
    #[error("building {crate_name} for {TARGET} failed:\n{messages}")]
    Compile {
        /// The component's crate.
        crate_name: String,
        /// What cargo printed.
        messages: String,
    },
    /// The compiled module is not where it should be.
    #[error("the compiled module {} can't be read", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The module does not fit the world its bindings name.
    #[error("the module of {crate_name} can't be turned into a component: {reason}")]
    Encode {
        /// The component's crate.
        crate_name: String,
        /// The encoder's reason.
        reason: String,
    },
}

/// Compiles the crate `crate_name`, whose manifest is `manifest`, in release mode under
/// `target_folder`, and returns the component's bytes. It is `no_std`: it uses `core` and `alloc`.
pub fn build(
    toolchain: &Toolchain,
    manifest: &Path,
    crate_name: &str,
    target_folder: &Path,
) -> Result<Vec<u8>, BuildError> {
    compile(toolchain, manifest, &[crate_name], target_folder, Library::Alloc)?;
    encoded(crate_name, target_folder)
}

/// As [`build`], but crates of one workspace: the components in the order of the names. `manifest` is the workspace's. What
/// they share is compiled once, and they are compiled side by side.
pub fn build_workspace(
    toolchain: &Toolchain,
    manifest: &Path,
    crate_names: &[&str],
    target_folder: &Path,
    library: Library,
) -> Result<Vec<Vec<u8>>, BuildError> {
    compile(toolchain, manifest, crate_names, target_folder, library)?;
    crate_names.iter().map(|name| encoded(name, target_folder)).collect()
}

fn compile(
    toolchain: &Toolchain,
    manifest: &Path,
    crate_names: &[&str],
    target_folder: &Path,
    library: Library,
) -> Result<(), BuildError> {
    let crate_name = crate_names.join(", ");
    let mut cargo = toolchain.cargo();
    if let Some(folder) = manifest.parent()
        && manifest.is_absolute()
        && target_folder.is_absolute()
    {
        // There cargo finds the settings of the crate's workspace.
        cargo.current_dir(folder);
    }
    if let Library::StdAndC(compiler) = library {
        // The crate `cc` reads them.
        cargo
            .env("CC_wasm32_unknown_unknown", compiler)
            .env("CFLAGS_wasm32_unknown_unknown", "-msimd128");
    }
    let output = cargo
        .args(["build", "--release", "--target", TARGET])
        .args(crate_names.iter().flat_map(|name| ["--package", *name]))
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_folder)
        .args(toolchain.arguments(library))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        // A panic is a trap: there is nothing to unwind to.
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags())
        .output()
        .map_err(|source| BuildError::Start { crate_name: crate_name.clone(), source })?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BuildError::Compile { crate_name, messages });
    }
    Ok(())
}

/// The component of a crate that is compiled.
fn encoded(crate_name: &str, target_folder: &Path) -> Result<Vec<u8>, BuildError> {
    let module = format!("{}.wasm", crate_name.replace('-', "_"));
    let path = target_folder.join(TARGET).join("release").join(module);
    let module = std::fs::read(&path).map_err(|source| BuildError::Read { path, source })?;
    encode(&module)
        .map_err(|reason| BuildError::Encode { crate_name: crate_name.to_owned(), reason })
}

/// The compiler's flags.
fn flags() -> String {
    // Every runtime of components has vectors; part of WebAssembly since 2.0.
    let mut flags = "-Ctarget-feature=+simd128".to_owned();
    // Panic messages name source files: this way the bytes do not depend on where dependencies are.
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = home.as_deref().and_then(Path::to_str).filter(|home| !home.contains(' ')) {
        flags.push_str(&format!(" --remap-path-prefix={home}=/cargo"));
    }
    flags
}

/// Turns a core module with wit-bindgen's description of its world into a component of that world.
fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))
}
