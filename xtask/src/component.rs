//! Building the components of the repository.

use anyhow::Result;
use partway_component_build::{Library, Toolchain, build_workspace};

use crate::run::{root, target};

/// Their names, as their files have them.
pub const COMPONENTS: [&str; 5] =
    ["exporter", "importer", "parquet", "redactor", "redacting-exporter"];

/// A component's crate.
pub fn crate_name(name: &str) -> String {
    format!("partway-{name}-component")
}

/// Builds all, in a folder of this name in the target folder: each with its name.
pub fn build_components(
    toolchain: &Toolchain,
    folder: &str,
) -> Result<impl Iterator<Item = (&'static str, Vec<u8>)>> {
    let crates = COMPONENTS.map(crate_name);
    let crates = crates.each_ref().map(String::as_str);
    let (manifest, folder) = (root().join("Cargo.toml"), target().join(folder));
    let built = build_workspace(toolchain, &manifest, &crates, &folder, Library::Alloc)?;
    Ok(COMPONENTS.into_iter().zip(built))
}
