//! The databases that are served, by their names.

use std::path::Path;

use partway_sqlite::Snapshot;

use super::error::ExportError;
use crate::config::NamedDatabase;
use crate::error::ConfigError;

/// Databases by name; the first is the default.
#[derive(Debug)]
pub struct Databases(Vec<NamedDatabase>);

impl Databases {
    /// These databases. Each is opened once, so that errors show at the start.
    ///
    /// # Errors
    ///
    /// If there is none, two have the same name, one has two names, or one can't be opened.
    pub fn open(databases: &[NamedDatabase]) -> Result<Self, ConfigError> {
        let mut all: Vec<NamedDatabase> = Vec::new();
        for NamedDatabase { name, path } in databases.iter().cloned() {
            if let Some(other) = all.iter().find(|other| other.name == name) {
                return Err(ConfigError::SameName {
                    name,
                    first: other.path.clone(),
                    second: path,
                });
            }
            let path = Snapshot::hold(&path)?.path().to_owned();
            if let Some(other) = all.iter().find(|other| other.path == path) {
                return Err(ConfigError::TwoNames {
                    path,
                    first: other.name.clone(),
                    second: name,
                });
            }
            all.push(NamedDatabase { name, path });
        }
        if all.is_empty() { Err(ConfigError::NoDatabase) } else { Ok(Self(all)) }
    }

    /// The path of a database; without a name, of the default.
    ///
    /// # Errors
    ///
    /// If none has the name.
    pub fn path(&self, name: Option<&str>) -> Result<&Path, ExportError> {
        let found = match name {
            None => self.0.first(),
            Some(name) => self.0.iter().find(|database| database.name == name),
        };
        found.map(|database| database.path.as_path()).ok_or_else(|| ExportError::UnknownDatabase {
            name: name.unwrap_or_default().to_owned(),
            served: self.names().map(str::to_owned).collect(),
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
