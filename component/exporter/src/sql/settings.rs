//! The settings of the format `sql`.

use alloc::format;
use alloc::string::String;

use crate::pipe::Error;

/// Who is to restore the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The stock `sqlite3` program, into a database like the one that was exported.
    Sqlite,
    /// A Durable Object or D1: short statements, no transaction of its own, no writing of the schema table,
    /// foreign keys enforced.
    D1,
}

/// What the settings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `rowids=keep`, the default, or `drop`: the rowids of tables that have no INTEGER PRIMARY KEY.
    pub(crate) rowids: bool,
    /// `target=sqlite`, the default, or `d1`.
    pub(crate) target: Target,
    /// `damaged=stop`, the default, or `skip`: what to do about a table that can't be read to its end.
    pub(crate) skip_damaged: bool,
}

impl Settings {
    /// Reads them; a later one of the same name counts.
    pub(crate) fn new(settings: &[(String, String)]) -> Result<Self, Error> {
        let mut read = Self { rowids: true, target: Target::Sqlite, skip_damaged: false };
        for (name, value) in settings {
            match (name.as_str(), value.as_str()) {
                ("rowids", "keep") => read.rowids = true,
                ("rowids", "drop") => read.rowids = false,
                ("target", "sqlite") => read.target = Target::Sqlite,
                ("target", "d1") => read.target = Target::D1,
                ("damaged", "stop") => read.skip_damaged = false,
                ("damaged", "skip") => read.skip_damaged = true,
                _ => {
                    return Err(Error::InvalidOptions(format!(
                        "format \"sql\" knows no setting {name}={value}: it has rowids=keep|drop, \
                         target=sqlite|d1 and damaged=stop|skip"
                    )));
                }
            }
        }
        Ok(read)
    }
}
