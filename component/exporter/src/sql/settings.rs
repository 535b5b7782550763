//! The settings of the format `sql`.

use alloc::format;
use alloc::string::String;

use super::target::Target;
use crate::pipe::Error;

/// What the settings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// `rowids=keep`, the default, or `drop`: the rowids of tables that have no INTEGER PRIMARY KEY.
    pub(super) keep_rowids: bool,
    /// `target=sqlite`, the default, or `d1`.
    pub(super) target: Target,
    /// `damaged=stop`, the default, or `skip`: what to do about a table that can't be read to its end.
    pub(super) skip_damaged: bool,
}

impl Settings {
    /// Reads them; a later one of the same name counts.
    pub(super) fn new(settings: &[(String, String)]) -> Result<Self, Error> {
        let mut read = Self { keep_rowids: true, target: Target::Sqlite, skip_damaged: false };
        for (name, value) in settings {
            match (name.as_str(), value.as_str()) {
                ("rowids", "keep") => read.keep_rowids = true,
                ("rowids", "drop") => read.keep_rowids = false,
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
