//! Formats and settings, with the names that the prebuilt component uses.

/// What will load a SQL dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The stock sqlite3 program.
    Sqlite,
    /// A Durable Object or D1: statements under 100,000 bytes, no transaction, no writes to the
    /// schema table.
    D1,
}

impl std::str::FromStr for Target {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "d1" => Ok(Self::D1),
            _ => Err(()),
        }
    }
}

/// The settings of a SQL dump that differ from the component's defaults.
pub fn sql_settings(no_rowids: bool, target: Option<Target>) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    if no_rowids {
        settings.push(("rowids".to_owned(), "drop".to_owned()));
    }
    if target == Some(Target::D1) {
        settings.push(("target".to_owned(), "d1".to_owned()));
    }
    settings
}

/// Whether a format is made of the database's pages, which a component gets at only if it is asked for: the database file
/// itself.
pub fn reads_pages(format: &str) -> bool {
    format == "sqlite"
}

/// The setting that makes the component skip damaged data instead of failing.
pub fn skip_damaged() -> (String, String) {
    ("damaged".to_owned(), "skip".to_owned())
}
