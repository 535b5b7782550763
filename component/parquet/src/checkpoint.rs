//! The checkpoint: versioned JSON text, taken where a part ends, and before the first one during the look at the rows.
//!
//! It holds where the unit begins that the part ends in. How much of that unit is written follows from the number of parts
//! and from where in the file it begins.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use partway_format::pipe::{Error, Options};
use partway_format::saved;
use serde::{Deserialize, Serialize};

use crate::look::Look;
use crate::metadata::RowGroups;
use crate::output::Place;
use crate::types::ColumnType;

/// Goes up with every change that an older component could not read.
const VERSION: u32 = 1;

/// The smallest part that is made.
pub(crate) const SMALLEST_PART: u32 = 4096;

/// All that a slice needs to resume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    /// The options that the export was started with.
    pub(crate) options: Options,
    /// A digest of the plan: in another schema the rest means nothing.
    #[serde(with = "saved::hex_number")]
    pub(crate) plan: u64,
    /// The columns' types, once they are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Vec<ColumnType>>,
    /// How far the look is that chooses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) look: Option<Look>,
    /// What the types do not tell of the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// Damaged values that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) damaged: Vec<String>,
    pub(crate) place: Place,
    /// The row groups before it.
    pub(crate) groups: RowGroups,
    /// Parts written.
    pub(crate) parts: u32,
}

impl Checkpoint {
    /// Where an export begins, in a file that begins with so many bytes before its row groups.
    pub(crate) fn first(options: Options, plan: u64, start: u64) -> Self {
        Self {
            version: VERSION,
            options,
            plan,
            types: None,
            look: None,
            warnings: Vec::new(),
            damaged: Vec::new(),
            place: Place::default(),
            groups: RowGroups::new(start),
            parts: 0,
        }
    }

    /// As JSON text.
    pub(crate) fn encode(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| {
            Error::InvalidCheckpoint(format!("the checkpoint can't be written: {error}"))
        })
    }

    /// Reads JSON text. Refuses what is no checkpoint, or one of another version.
    pub(crate) fn decode(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |why: &dyn core::fmt::Display| {
            Error::InvalidCheckpoint(format!(
                "the checkpoint is damaged ({why}): start the export over"
            ))
        };
        let Version { version } = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        if version != VERSION {
            return Err(Error::InvalidCheckpoint(format!(
                "the checkpoint has version {version}, but this component reads version {VERSION}: resume with the \
                 component that wrote it, or start the export over"
            )));
        }
        let checkpoint: Self = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        if checkpoint.options.part_size < SMALLEST_PART {
            return Err(damaged(&"its part size is too small"));
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_less() {
        let options = Options { part_size: 4096, ..Options::default() };
        let first = Checkpoint::first(options, u64::MAX, 4);
        let place = Place { after: Some(alloc::vec![0, 255]), is_footer: true, gaps: 2 };
        let types = Some(alloc::vec![ColumnType::Integer, ColumnType::Stored]);
        let later = Checkpoint { place, types, parts: 7, ..first.clone() };
        for checkpoint in [first, later] {
            let text = checkpoint.encode().unwrap();
            assert_eq!(Checkpoint::decode(&text).unwrap(), checkpoint);
            for end in 0..text.len() {
                let error = Checkpoint::decode(&text[..end]).unwrap_err();
                assert!(error.to_string().contains("damaged"), "{error}");
            }
            let error = Checkpoint::decode(&text.replace(":1,", ":2,")).unwrap_err();
            assert!(error.to_string().contains("version 2"), "{error}");
        }
    }
}
