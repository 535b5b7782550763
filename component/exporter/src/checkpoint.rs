//! The saved place: small, versioned JSON text, taken only where a part ends.
//!
//! It holds the position behind the last row whose text is complete, and that row's bytes that fall
//! behind the part's end (the carry). A row is therefore never half from one read and half from
//! another. Only a value too large for a batch has a place inside it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::pipe::{Error, Options};

/// Goes up with every change that an older component could not read.
const VERSION: u32 = 1;

/// The smallest part: one page of a disk or of SQLite. Smaller ones cost more than they carry.
pub(crate) const SMALLEST_PART: u32 = 4096;

/// All that a slice needs to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    pub(crate) options: SavedOptions,
    /// A digest of the plan: another schema gives another plan, and then no place in it is good.
    #[serde(with = "hex_number")]
    pub(crate) plan: u64,
    pub(crate) place: Place,
    /// Parts written.
    pub(crate) parts: u32,
    pub(crate) counts: Counts,
    /// Tables that could not be read to their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) damaged: Vec<String>,
    /// Text behind the last part's end.
    #[serde(with = "base64_bytes")]
    pub(crate) carry: Vec<u8>,
}

/// The options as the checkpoint keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedOptions {
    pub(crate) format: String,
    pub(crate) tables: Vec<String>,
    pub(crate) part_size: u32,
    pub(crate) settings: Vec<(String, String)>,
}

/// Where in the plan the text that is complete ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The step, counted from 0.
    pub(crate) step: u32,
    /// In a step of rows: behind this position; none: before the first row.
    #[serde(with = "base64_option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Vec<u8>>,
    /// Inside the row behind `after`, when a large value of it is half written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<ValuePlace>,
    /// Where in the object the open statement began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statement: Option<u64>,
}

/// A place inside a large value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValuePlace {
    /// Its column, counted from 0 among those that are read.
    pub(crate) column: u32,
    /// Bytes of the value that are written.
    pub(crate) offset: u32,
    /// Whether it is written in hexadecimal digits.
    pub(crate) hex: bool,
    /// Where the piece of the value begins that a statement is adding to it; none where the value is written in
    /// its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) piece: Option<u32>,
}

/// What has been exported up to here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) tables: u32,
    pub(crate) rows: u64,
}

impl Checkpoint {
    /// Where an export begins.
    pub(crate) fn first(options: &Options, plan: u64) -> Self {
        Self {
            version: VERSION,
            options: SavedOptions {
                format: options.format.clone(),
                tables: options.tables.clone(),
                part_size: options.part_size,
                settings: options.settings.clone(),
            },
            plan,
            place: Place::default(),
            parts: 0,
            counts: Counts::default(),
            damaged: Vec::new(),
            carry: Vec::new(),
        }
    }

    /// As JSON text.
    pub(crate) fn encode(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| Error::InvalidCheckpoint(format!("it can't be written: {error}")))
    }

    /// Out of JSON text.
    pub(crate) fn decode(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| {
            Error::InvalidCheckpoint(format!(
                "the checkpoint is damaged ({error}): start the export over"
            ))
        };
        let Version { version } = serde_json::from_str(text).map_err(damaged)?;
        if version != VERSION {
            return Err(Error::InvalidCheckpoint(format!(
                "the checkpoint is of version {version}, and this component reads version {VERSION}: \
                 go on with the component that made it, or start the export over"
            )));
        }
        let checkpoint: Self = serde_json::from_str(text).map_err(damaged)?;
        if checkpoint.options.part_size < SMALLEST_PART {
            return Err(Error::InvalidCheckpoint(
                "the checkpoint is damaged (its part size is too small): start the export over"
                    .to_string(),
            ));
        }
        Ok(checkpoint)
    }

    /// The options that the export was started with.
    pub(crate) fn options(&self) -> Options {
        Options {
            format: self.options.format.clone(),
            tables: self.options.tables.clone(),
            part_size: self.options.part_size,
            settings: self.options.settings.clone(),
        }
    }
}

/// Bytes as base64 text (RFC 4648, padded).
mod base64_bytes {
    use super::{String, Vec};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Bytes that may be missing, as base64 text.
mod base64_option {
    use super::{Vec, base64_bytes};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => base64_bytes::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        base64_bytes::deserialize(from).map(Some)
    }
}

/// A 64-bit number as text: JSON numbers are exact up to 2^53 only, in many a reader.
mod hex_number {
    use super::{String, format};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(from)?, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let options = Options {
            format: "sql".into(),
            tables: vec!["t".into()],
            part_size: 4096,
            settings: vec![("rowids".into(), "drop".into())],
        };
        let mut checkpoint = Checkpoint::first(&options, u64::MAX);
        checkpoint.place = Place {
            step: 3,
            after: Some(vec![0, 255]),
            value: Some(ValuePlace { column: 1, offset: 9, hex: true, piece: Some(7) }),
            statement: Some(77),
        };
        checkpoint.damaged = vec!["t".into()];
        checkpoint.carry = b"it's".to_vec();
        checkpoint
    }

    #[test]
    fn what_is_written_is_read_again() {
        let first = Checkpoint::first(&Options { part_size: 4096, ..Options::default() }, 0);
        for checkpoint in [checkpoint(), first] {
            let text = checkpoint.encode().unwrap();
            assert_eq!(Checkpoint::decode(&text).unwrap(), checkpoint);
        }
    }

    #[test]
    fn a_checkpoint_cut_short_anywhere_is_refused() {
        let text = checkpoint().encode().unwrap();
        for end in 0..text.len() {
            let error = Checkpoint::decode(&text[..end]).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }

    #[test]
    fn another_version_is_named_in_the_refusal() {
        let text = checkpoint().encode().unwrap().replace("\"version\":1", "\"version\":2");
        let error = Checkpoint::decode(&text).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
