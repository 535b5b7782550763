//! Builds the export component and leaves it where the crate includes it from, with what it compiles to for the machine that
//! the crate is built for.

#[cfg(feature = "bundled")]
#[path = "src/engine/settings.rs"]
mod settings;

#[cfg(feature = "bundled")]
use partway_component_build::Config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(feature = "bundled")]
    bundle::bundle()?;
    Ok(())
}

#[cfg(feature = "bundled")]
mod bundle {
    use std::env;
    use std::error::Error;
    use std::fs;
    use std::path::{Path, PathBuf};

    use partway_component_build::{Toolchain, build, precompile};

    use super::settings::settings;

    pub fn bundle() -> Result<(), Box<dyn Error>> {
        // The last three tell a stub from the component: without them, a build after a lint would keep it.
        for name in [
            "PARTWAY_COMPONENT",
            "PARTWAY_TOOLCHAIN",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
            "DOCS_RS",
        ] {
            println!("cargo::rerun-if-env-changed={name}");
        }
        println!("cargo::rerun-if-changed=build.rs");
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
        let component = component(&out)?;
        fs::write(out.join("exporter.wasm"), &component)?;
        fs::write(out.join("exporter.cwasm"), code(&component))?;
        Ok(())
    }

    /// What the component compiles to; nothing where it can't be compiled here: then the program does so when it starts.
    fn code(component: &[u8]) -> Vec<u8> {
        if component.is_empty() {
            return Vec::new();
        }
        let target = env::var("TARGET").unwrap_or_default();
        precompile(component, settings(), &target).unwrap_or_else(|error| {
            println!("cargo::warning={}", error.to_string().replace('\n', " "));
            Vec::new()
        })
    }

    fn component(out: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
        if let Some(file) = env::var_os("PARTWAY_COMPONENT").filter(|file| !file.is_empty()) {
            println!("cargo::rerun-if-changed={}", Path::new(&file).display());
            return Ok(fs::read(&file).map_err(|error| {
                format!("PARTWAY_COMPONENT={} can't be read: {error}", Path::new(&file).display())
            })?);
        }
        // What only looks at the code needs no component: a stub of the right name does.
        if is_lint_or_docs() {
            return Ok(Vec::new());
        }
        // Asked for now: the script may have been compiled in another clone that shares the target folder.
        let here = env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?;
        let root = Path::new(&here).join("../..");
        let manifest = root.join("component/exporter/Cargo.toml");
        for input in
            ["component/exporter/Cargo.toml", "component/exporter/src", "wit", "Cargo.lock"]
        {
            println!("cargo::rerun-if-changed={}", root.join(input).display());
        }
        let toolchain = Toolchain::find()?;
        Ok(build(&toolchain, &manifest, "partway-exporter", &out.join("component"))?)
    }

    /// clippy-driver, or rustdoc on docs.rs: both set a variable.
    fn is_lint_or_docs() -> bool {
        let wrapper = env::var_os("RUSTC_WORKSPACE_WRAPPER").or_else(|| env::var_os("CLIPPY_ARGS"));
        wrapper.is_some_and(|wrapper| wrapper.to_string_lossy().contains("clippy"))
            || env::var_os("DOCS_RS").is_some()
    }
}
