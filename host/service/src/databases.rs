//! The databases that are served, by their names.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use partway_sqlite::Snapshot;

use crate::answer::Refusal;
use crate::config::NamedDatabase;

/// Databases by name; the first is the default.
#[derive(Debug)]
pub struct Databases(Vec<NamedDatabase>);

impl Databases {
    /// Those of the command line. Each is opened once, so that what is wrong with it is said at the start.
    ///
    /// # Errors
    ///
    /// Where two have the same name, one has two, or one can't be opened.
    pub fn new(paths: &[PathBuf], named: &[NamedDatabase]) -> anyhow::Result<Self> {
        let mut all: Vec<NamedDatabase> = Vec::new();
        let stem = |path: &PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            NamedDatabase { name, path: path.clone() }
        };
        for database in paths.iter().map(stem).chain(named.iter().cloned()) {
            let NamedDatabase { name, path } = database;
            if let Some(other) = all.iter().find(|other| other.name == name) {
                bail!(
                    "{} and {} are both called {name}: give one another name by --database NAME=PATH",
                    other.path.display(),
                    path.display()
                );
            }
            let path = Snapshot::hold(&path)?.path().to_owned();
            if let Some(other) = all.iter().find(|other| other.path == path) {
                let path = path.display();
                bail!("{path} is served under two names, {} and {name}: give it one", other.name);
            }
            all.push(NamedDatabase { name, path });
        }
        if all.is_empty() { Err(anyhow!("give a database")) } else { Ok(Self(all)) }
    }

    /// The path of a database; without a name, of the default.
    ///
    /// # Errors
    ///
    /// Where none has the name.
    pub fn path(&self, name: Option<&str>) -> Result<&Path, Refusal> {
        let found = match name {
            None => self.0.first(),
            Some(name) => self.0.iter().find(|database| database.name == name),
        };
        found.map(|database| database.path.as_path()).ok_or_else(|| {
            let name = name.unwrap_or_default();
            Refusal::not_found(format!(
                "no database is called {name:?}: there is {}",
                self.names().collect::<Vec<_>>().join(", ")
            ))
        })
    }

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.0.iter().map(|database| (database.name.as_str(), database.path.as_path()))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The name of a database.
    pub fn name(&self, path: &Path) -> Option<&str> {
        let found = self.0.iter().find(|database| database.path == path);
        found.map(|database| database.name.as_str())
    }
}
