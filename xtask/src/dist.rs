//! `cargo xtask dist`: writes the component to a file, for other hosts.

use std::fs;

use anyhow::{Context, Result};
use partway_component_build::{Toolchain, build};

use crate::run::{root, target};
use crate::setup::setup;

/// Builds the component and writes it to `target/dist`.
pub fn dist() -> Result<()> {
    setup()?;
    let manifest = root().join("component/exporter/Cargo.toml");
    let component =
        build(&Toolchain::find()?, &manifest, "partway-exporter", &target().join("component"))?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    let file = folder.join("partway-exporter.wasm");
    fs::write(&file, &component).with_context(|| format!("writing {}", file.display()))?;
    println!("{} ({} bytes)", file.display(), component.len());
    Ok(())
}
