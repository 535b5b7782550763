//! Building the components of the repository.

use anyhow::Result;
use partway_component_build::{Toolchain, build};

use crate::run::{root, target};

/// A component of the repository.
pub struct Component {
    /// Its file's name.
    pub name: &'static str,
    /// Its crate's folder in `component/`.
    folder: &'static str,
}

/// All that are published.
pub const COMPONENTS: [Component; 5] = [
    Component { name: "exporter", folder: "exporter-component" },
    Component { name: "importer", folder: "importer" },
    Component { name: "redactor", folder: "redactor-component" },
    Component { name: "redacting-exporter", folder: "redacting-exporter" },
    Component { name: "parquet", folder: "parquet-component" },
];

impl Component {
    /// Its crate.
    pub fn crate_name(&self) -> String {
        format!("partway-{}", self.folder)
    }

    /// Builds it, in a folder of this name in the target folder.
    pub fn build(&self, toolchain: &Toolchain, folder: &str) -> Result<Vec<u8>> {
        let manifest = root().join("component").join(self.folder).join("Cargo.toml");
        Ok(build(toolchain, &manifest, &self.crate_name(), &target().join(folder))?)
    }
}
