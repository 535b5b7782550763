//! `partway-component-build MANIFEST TARGET_FOLDER CRATE=FILE…`: builds components of a workspace and writes them to files.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use partway_component_build::{Library, Toolchain, build_workspace};

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
    let usage = "usage: partway-component-build MANIFEST TARGET_FOLDER CRATE=FILE…";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, target_folder, components @ ..] = arguments.as_slice() else {
        return Err(usage.into());
    };
    let components: Option<Vec<_>> =
        components.iter().map(|argument| argument.split_once('=')).collect();
    let (names, files): (Vec<_>, Vec<_>) = components.ok_or(usage)?.into_iter().unzip();
    let toolchain = Toolchain::find()?;
    let (manifest, target_folder) = (Path::new(manifest), Path::new(target_folder));
    let built = build_workspace(&toolchain, manifest, &names, target_folder, Library::Alloc)?;
    for (file, component) in files.iter().zip(built) {
        std::fs::write(file, component)
            .map_err(|error| format!("{file} can't be written: {error}"))?;
    }
    Ok(())
}
