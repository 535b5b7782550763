//! `cargo xtask dist`: writes the components to files, for other hosts.

use std::fs;

use anyhow::{Context, Result};
use partway_component_build::{Toolchain, build};

use crate::run::{root, target};
use crate::setup::setup;

/// Builds the components and writes them to `target/dist`.
pub fn dist() -> Result<()> {
    setup()?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    for name in ["exporter", "importer"] {
        let manifest = root().join("component").join(name).join("Cargo.toml");
        let crate_name = format!("partway-{name}");
        let component =
            build(&Toolchain::find()?, &manifest, &crate_name, &target().join("component"))?;
        let file = folder.join(format!("{crate_name}.wasm"));
        fs::write(&file, &component).with_context(|| format!("writing {}", file.display()))?;
        println!("{} ({} bytes)", file.display(), component.len());
    }
    Ok(())
}
