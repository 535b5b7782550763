//! Building the codec component. It is not among those that every build makes: its libraries are in C, and the program has
//! them as they are.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use partway_component_build::{Library, Toolchain, build_workspace};

use crate::clang::clang;
use crate::component::crate_name;
use crate::run::{root, target};

/// Its name, as its file has it.
pub const NAME: &str = "codec";

/// Writes it to `target/dist`.
pub fn codec() -> Result<()> {
    let Some(file) = for_tests()? else {
        bail!("there is no clang that compiles for wasm32: install one (on Debian, clang-22)");
    };
    println!("{}", file.display());
    Ok(())
}

/// Its file; none, with a message: it can't be built here.
pub fn for_tests() -> Result<Option<PathBuf>> {
    let Some(component) = built()? else {
        eprintln!(
            "test: there is no clang for wasm32; the tests of the codec component are skipped"
        );
        return Ok(None);
    };
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    let file = folder.join("partway-codec.wasm");
    fs::write(&file, component).with_context(|| format!("writing {}", file.display()))?;
    Ok(Some(file))
}

/// Builds it; none: there is no compiler of C for wasm.
pub fn built() -> Result<Option<Vec<u8>>> {
    let Some(compiler) = clang()? else { return Ok(None) };
    let toolchain = Toolchain::find()?;
    // Where the tests build components with `std`: that is compiled once.
    let (manifest, folder) = (root().join("Cargo.toml"), target().join("tmp/components"));
    let library = Library::StdAndC(compiler);
    let mut built = build_workspace(&toolchain, &manifest, &[&crate_name(NAME)], &folder, library)?;
    Ok(built.pop())
}
