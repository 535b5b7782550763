//! `cargo xtask new-component`: a crate to begin a format of one's own with.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, root};

/// What a new crate is made of. It is called like the folder until it has its name.
const SKELETON: &str = "skeleton";

/// Files in which the crate's name stands.
const NAMED: [&str; 2] = ["Cargo.toml", "README.md"];

/// Makes a crate of this name in a new folder, by default one of the same name in the current folder.
pub fn new_component(name: &str, folder: Option<PathBuf>) -> Result<()> {
    let folder = folder.unwrap_or_else(|| name.into());
    check(name)?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::create_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already: name a folder that is not", folder.display());
        }
        made => made.with_context(|| format!("making the folder {}", folder.display()))?,
    }
    let skeleton = root().join("xtask").join(SKELETON);
    for part in ["", "src", "examples", "tests"] {
        copy(&skeleton.join(part), &folder.join(part))?;
    }
    copy(&root().join("wit"), &folder.join("wit"))?;
    for file in NAMED.map(|file| folder.join(file)) {
        let text = fs::read_to_string(&file)?;
        fs::write(&file, text.replace(SKELETON, name))?;
    }
    println!(
        "{} is a component that writes CSV, and its test. Next, in this folder: cargo test. docs/WRITE_A_COMPONENT.md \
         explains it",
        folder.display()
    );
    Ok(())
}

/// cargo knows which names a crate may have.
fn check(name: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut new = cargo();
    new.args(["new", "--quiet", "--lib", "--vcs", "none", "--name", name])
        .arg(folder.path().join("crate"));
    output(&mut new).with_context(|| format!("a crate can't be called {name:?}")).map(drop)
}

/// Copies the files of a folder, but not what is in its folders.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        // What cargo makes if someone tries the skeleton itself.
        if entry.file_type()?.is_file() && entry.file_name() != "Cargo.lock" {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
