//! The settings of the format `sql`.

use alloc::format;
use alloc::string::String;

use super::target::Target;
use crate::pipe::Error;
use crate::subset::{SETTINGS, Subset};

/// The settings, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// `rowids=keep`, the default, or `drop`: the rowids of tables that have no INTEGER PRIMARY KEY.
    pub(super) keep_rowids: bool,
    /// `target=sqlite`, the default, or `d1`.
    pub(super) target: Target,
    /// `damaged=stop`, the default, or `skip`: what to do where rows can't be read.
    pub(super) skip_damaged: bool,
}

impl Settings {
    /// Reads them; of two with the same name the later counts. Which part is asked for is not its concern.
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
                (name, _) if Subset::has_setting(name) => {}
                _ => {
                    return Err(Error::InvalidOptions(format!(
                        "format \"sql\" has no setting {name}={value}: use rowids=keep|drop, \
                         target=sqlite|d1, damaged=stop|skip, content=all|schema|data, {SETTINGS}"
                    )));
                }
            }
        }
        Ok(read)
    }
}
