//! `cargo xtask dist`: writes the components to files, for other hosts.

use std::fs;

use anyhow::{Context, Result};
use partway_component_build::{Toolchain, build};

use crate::component::{COMPONENTS, build_component};
use crate::run::{root, target};
use crate::setup::setup;

/// Builds the components and writes them to `target/dist`.
pub fn dist() -> Result<()> {
    setup()?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    let toolchain = Toolchain::find()?;
    let mut components = Vec::new();
    for name in COMPONENTS {
        components
            .push((format!("partway-{name}"), build_component(&toolchain, name, "component")?));
    }
    let manifest = root().join("component/rows-check/Cargo.toml");
    let rows_check = build(&toolchain, &manifest, "rows-check", &target().join("component"))?;
    components.push(("rows-check".to_owned(), rows_check));
    for (name, component) in components {
        let file = folder.join(format!("{name}.wasm"));
        fs::write(&file, &component).with_context(|| format!("writing {}", file.display()))?;
        println!("{} ({} bytes)", file.display(), component.len());
    }
    Ok(())
}
