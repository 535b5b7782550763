//! `partway-component-build MANIFEST CRATE TARGET_FOLDER FILE`: builds a component and writes it to a file.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use partway_component_build::{Toolchain, build};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, crate_name, target_folder, file] = arguments.as_slice() else {
        return Err("usage: partway-component-build MANIFEST CRATE TARGET_FOLDER FILE".into());
    };
    let toolchain = Toolchain::find()?;
    let component = build(&toolchain, Path::new(manifest), crate_name, Path::new(target_folder))?;
    std::fs::write(file, component).map_err(|error| format!("{file} can't be written: {error}"))?;
    Ok(())
}
