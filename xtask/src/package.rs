//! `cargo xtask package`: the crates as they would be published, tested from the packages alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use partway_component_build::Toolchain;

use crate::component::build_components;
use crate::run::{cargo, output, root, run, target};
use crate::setup::setup;

/// The crates that are published, each after those that it needs. `partway-component-build` and `partway-testbed` are
/// not: they may be packaged only because cargo refuses crates that depend on one it may not.
const CRATES: [&str; 19] = [
    "partway-rows",
    "partway-format",
    "partway-exporter",
    "partway-parquet",
    "partway-importer",
    "partway-redactor",
    "partway-prebuilt",
    "partway-wasmtime",
    "partway-sqlite",
    "partway-store",
    "partway-compression",
    "partway-codec",
    "partway-manifest",
    "partway-jobs",
    "partway-verify",
    "partway-restore",
    "partway-service",
    "partway-redact",
    "partway",
];

/// Puts the components into the package that holds them, packages all crates, and installs the program and runs the embedder
/// from the packages, as on a machine without a wasm toolchain.
pub fn package() -> Result<()> {
    prebuild()?;
    run(cargo().args(["package", "--workspace", "--allow-dirty", "--no-verify"]))?;
    // Outside the repository: within its workspace, cargo would take them for members.
    let outside = tempfile::tempdir()?;
    let folder = outside.path();
    let packed = unpack(folder)?;
    let program = install(folder, &packed)?;
    println!(
        "installed from the packages alone: {}",
        output(Command::new(program).arg("--version"))?.trim()
    );
    embed(folder, &packed)
}

/// Builds the components twice, which must give the same bytes, and puts them where the package
/// expects them.
pub fn prebuild() -> Result<()> {
    setup()?;
    let toolchain = Toolchain::find()?;
    let again = build_components(&toolchain, "component-again")?;
    for ((name, component), (_, again)) in build_components(&toolchain, "component")?.zip(again) {
        if component != again {
            bail!(
                "two builds of the {name} differ: packages could not be checked against their sources"
            );
        }
        let file = format!("component/prebuilt/{name}.wasm");
        fs::write(root().join(&file), &component).with_context(|| format!("writing {file}"))?;
        println!("{file}: {} bytes, identical in two builds", component.len());
    }
    Ok(())
}

/// Unpacks the packages into a folder outside of the workspace, and gives the folder of each crate.
fn unpack(folder: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut packed = Vec::new();
    for name in CRATES {
        let package = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let file = target().join("package").join(format!("{package}.crate"));
        run(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(folder))?;
        packed.push((name, folder.join(package)));
    }
    Ok(packed)
}

/// A cargo for which the packages are what the registry has, and no toolchain compiles for wasm.
fn outside(packed: &[(&str, PathBuf)]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, folder) in packed {
        command.arg("--config").arg(format!("patch.crates-io.{name}.path={:?}", folder));
    }
    command
        .env("PARTWAY_TOOLCHAIN", "none")
        .env_remove("PARTWAY_COMPONENT")
        .env_remove("PARTWAY_IMPORTER")
        .env_remove("PARTWAY_PARQUET")
        .env_remove("PARTWAY_REDACTOR")
        .env("CARGO_TARGET_DIR", target());
    command
}

/// Installs the program, as `cargo install partway` does.
fn install(folder: &Path, packed: &[(&str, PathBuf)]) -> Result<PathBuf> {
    let (_, program) = packed.last().context("no packages")?;
    let installed = folder.join("installed");
    let mut command = outside(packed);
    command.args(["install", "--debug", "--path"]).arg(program).arg("--root").arg(&installed);
    run(command.current_dir(folder))?;
    Ok(installed.join("bin").join(format!("partway{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds and runs `tests/embedder` as a separate project, and counts what embedders compile.
fn embed(folder: &Path, packed: &[(&str, PathBuf)]) -> Result<()> {
    let runtime = "tokio = { version = \"1\", features = [\"macros\", \"rt\"] }";
    let engine = "wasmtime = { version = \"48\", default-features = false }";
    let embedder = project(folder, "embedder", &["partway-wasmtime = \"0.1\"", runtime, engine])?;
    fs::copy(root().join("tests/embedder/src/main.rs"), embedder.join("src/main.rs"))?;
    let dump = output(outside(packed).args(["run", "--quiet"]).current_dir(&embedder))?;
    if !dump.ends_with("-- partway:end tables=1 rows=100\n") {
        bail!("the embedder's dump is incomplete:\n{dump}");
    }
    println!("tests/embedder from the packages alone: its dump is complete");
    let wasmtime = "partway-wasmtime = \"0.1\"";
    let with_sqlite = [wasmtime, "partway-sqlite = \"0.1\""];
    for (name, dependencies) in [("wasmtime", &with_sqlite[..1]), ("sqlite", &with_sqlite[..])] {
        let project = project(folder, name, dependencies)?;
        let mut tree = outside(packed);
        tree.args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
        let tree = output(tree.current_dir(&project))?;
        let crates: BTreeSet<&str> =
            tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        // Without the project itself.
        println!("{}: {} crates", dependencies.join(", "), crates.len() - 1);
    }
    Ok(())
}

/// A project outside of the workspace.
fn project(folder: &Path, name: &str, dependencies: &[&str]) -> Result<PathBuf> {
    let project = folder.join("projects").join(name);
    fs::create_dir_all(project.join("src"))?;
    fs::write(project.join("src/main.rs"), "fn main() {}\n")?;
    let dependencies = dependencies.join("\n");
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependencies}\n"
    );
    fs::write(project.join("Cargo.toml"), manifest)?;
    Ok(project)
}
