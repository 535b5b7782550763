//! `cargo run --example component`: builds the component, and prints where it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    match build() {
        Ok(file) => println!("{}", file.display()),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

/// Compiles the crate, and makes a component of the module: a file beside it.
pub fn build() -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    // Debian's rustc-web has no target to add, but the source of Rust's own libraries.
    let is_debian = std::env::var("PARTWAY_TOOLCHAIN").is_ok_and(|name| name == "debian");
    let cargo = if is_debian {
        "/usr/bin/cargo".into()
    } else {
        std::env::var_os("CARGO").unwrap_or("cargo".into())
    };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--lib", "--target", TARGET])
        .current_dir(folder);
    command.arg("--target-dir").arg(&target);
    if is_debian {
        command
            .arg("-Zbuild-std=core,alloc")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1");
    }
    if !command.status()?.success() {
        return Err(format!(
            "the component was not compiled; is the target there? rustup target add {TARGET}"
        )
        .into());
    }
    let name = env!("CARGO_PKG_NAME").replace('-', "_");
    let release = target.join(TARGET).join("release");
    let module = std::fs::read(release.join(format!("{name}.wasm")))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()?;
    let file = release.join(format!("{}.component.wasm", env!("CARGO_PKG_NAME")));
    std::fs::write(&file, component)?;
    Ok(file)
}
