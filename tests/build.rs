//! Builds the test components.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use partway_component_build::{Toolchain, build};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?)
        .join("components");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for name in ["PARTWAY_TOOLCHAIN", "RUSTC_WORKSPACE_WRAPPER"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=../wit");
    println!("cargo::rerun-if-changed=build.rs");
    // A lint needs no component to look at the tests.
    let lint = env::var_os("RUSTC_WORKSPACE_WRAPPER").is_some();
    for name in ["pass-through", "hostile"] {
        let component = if lint {
            Vec::new()
        } else {
            let manifest = folder.join(name).join("Cargo.toml");
            build(&Toolchain::find()?, &manifest, name, &out.join("components"))?
        };
        fs::write(out.join(format!("{name}.wasm")), component)?;
    }
    Ok(())
}
