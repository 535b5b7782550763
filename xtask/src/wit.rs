//! `cargo xtask wit`: copies the contract into the crates that package it, and records what each version says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::root;

/// The crates whose packages need the WIT files: a package contains nothing from outside its
/// folder.
const COPIES: [&str; 5] = [
    "component/exporter/wit",
    "component/importer/wit",
    "component/parquet/wit",
    "component/redactor/wit",
    "host/wasmtime/wit",
];

/// What each version of the contract says, in a file of its own: `wit/` without its comments.
const VERSIONS: &str = "xtask/contract";

/// Copies `wit/` over the copies. A new version is recorded; a recorded one must not have changed.
pub fn wit() -> Result<()> {
    let contract = files(&root().join("wit"))?;
    record(&contract)?;
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

fn record(contract: &BTreeMap<String, String>) -> Result<()> {
    let record = root().join(VERSIONS).join(format!("{}.wit", version(contract)?));
    let says = without_comments(contract);
    match fs::read_to_string(&record) {
        Ok(recorded) if recorded == says => Ok(()),
        Ok(_) => bail!(
            "wit/ says something else than {}, in more than comments: give the package a new version, or, if this one \
             was never released, delete that file",
            record.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(root().join(VERSIONS))?;
            println!("{} is new", record.display());
            Ok(fs::write(&record, says)?)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", record.display())),
    }
}

/// The version of the package, which all files must name.
fn version(contract: &BTreeMap<String, String>) -> Result<String> {
    let mut versions = contract.iter().map(|(name, text)| {
        let line = text.lines().find_map(|line| line.strip_prefix("package partway:pipe@"));
        line.and_then(|line| line.strip_suffix(';'))
            .with_context(|| format!("{name} has no version"))
    });
    let version = versions.next().context("wit/ is empty")??;
    for other in versions {
        let other = other?;
        if other != version {
            bail!("the files of wit/ name different versions: {version} and {other}");
        }
    }
    Ok(version.to_owned())
}

/// All files, one after another, without lines of comments and empty lines.
fn without_comments(contract: &BTreeMap<String, String>) -> String {
    let lines = contract.iter().flat_map(|(name, text)| {
        let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = text.lines().filter(says).map(str::to_owned);
        std::iter::once(format!("// {name}")).chain(lines)
    });
    lines.map(|line| line + "\n").collect()
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
    #[test]
    fn the_contract_changes_only_with_its_version() {
        let contract = files(&root().join("wit")).unwrap();
        let version = version(&contract).unwrap();
        let record = root().join(VERSIONS).join(format!("{version}.wit"));
        let recorded = fs::read_to_string(record).expect("a record: run cargo xtask wit");
        assert_eq!(
            without_comments(&contract),
            recorded,
            "wit/ has changed, and its version {version} has not"
        );
    }

    #[test]
    fn comments_may_change_and_nothing_else() {
        let contract = |text: &str| BTreeMap::from([("a.wit".to_owned(), text.to_owned())]);
        let says = |text: &str| without_comments(&contract(text));
        let old = "package partway:pipe@0.1.0;\n\n/// One.\ninterface a {\n    /// Two.\n    b: func();\n}\n";
        assert_eq!(says(old), says(&old.replace("One", "Another")));
        assert_eq!(says(old), says(&old.replace("    /// Two.\n", "")));
        assert_ne!(says(old), says(&old.replace("func()", "func() -> u32")));
        assert_eq!(version(&contract(old)).unwrap(), "0.1.0");
        assert!(version(&contract("interface a {}\n")).is_err());
    }
}
