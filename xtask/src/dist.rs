//! `cargo xtask dist`: writes the components to files, for other hosts.

use std::fs;

use anyhow::{Context, Result};
use partway_component_build::Toolchain;

use crate::component::{COMPONENTS, build_component};
use crate::run::target;
use crate::setup::setup;

/// Builds the components and writes them to `target/dist`.
pub fn dist() -> Result<()> {
    setup()?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    let toolchain = Toolchain::find()?;
    for name in COMPONENTS {
        let component = build_component(&toolchain, name, "component")?;
        let file = folder.join(format!("partway-{name}.wasm"));
        fs::write(&file, &component).with_context(|| format!("writing {}", file.display()))?;
        println!("{} ({} bytes)", file.display(), component.len());
    }
    Ok(())
}
