//! Building the components of the repository.

use anyhow::Result;
use partway_component_build::{Toolchain, build};

use crate::run::{root, target};

/// Their folders in `component/`; their crates are `partway-` and that.
pub const COMPONENTS: [&str; 4] = ["exporter", "importer", "parquet", "redactor"];

/// Builds one, in a folder of this name in the target folder.
pub fn build_component(toolchain: &Toolchain, name: &str, folder: &str) -> Result<Vec<u8>> {
    let manifest = root().join("component").join(name).join("Cargo.toml");
    Ok(build(toolchain, &manifest, &format!("partway-{name}"), &target().join(folder))?)
}
