//! `cargo xtask wit`: copies the contract into the crates that package it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::root;

/// The crates whose packages need the WIT files: a package contains nothing from outside its
/// folder.
const COPIES: [&str; 4] = [
    "component/exporter/wit",
    "component/importer/wit",
    "component/redactor/wit",
    "host/wasmtime/wit",
];

/// Copies `wit/` over the copies.
pub fn wit() -> Result<()> {
    let contract = files(&root().join("wit"))?;
    for copy in COPIES {
        let folder = root().join(copy);
        if files(&folder).is_ok_and(|there| there == contract) {
            println!("{copy} is up to date");
            continue;
        }
        fs::remove_dir_all(&folder).or_else(crate::demo::ignore_missing)?;
        fs::create_dir_all(&folder)?;
        for (name, text) in &contract {
            fs::write(folder.join(name), text)?;
        }
        println!("{copy} is updated");
    }
    Ok(())
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<BTreeMap<String, String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((name, fs::read_to_string(entry.path())?))
    };
    entries.map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_of_the_contract_is_the_contract() {
        let contract = files(&root().join("wit")).unwrap();
        assert!(contract.contains_key("rows.wit"));
        for copy in COPIES {
            let copied = files(&root().join(copy)).unwrap();
            assert_eq!(copied, contract, "{copy} differs from wit/: run cargo xtask wit");
        }
    }
}
