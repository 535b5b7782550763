//! The checkpoint: small, versioned JSON text, taken only where a part ends.
//!
//! It holds the position after the last row whose text is complete, and that row's bytes that fall after the
//! part's end (the carry). No row is ever half from one read and half from another. Only a value too large
//! for a batch can have a resume point inside it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use partway_format::saved;

use crate::contents::OpenTable;
use crate::pipe::{Error, Options, Position};

/// Goes up with every change that an older component could not read.
const VERSION: u32 = 3;

/// The smallest part: one page of a disk or of SQLite. Smaller ones cost more than they carry.
pub(crate) const SMALLEST_PART: u32 = 4096;

/// All that a slice needs to resume, in a format whose state within a table is an `S`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint<S> {
    version: u32,
    /// The options that the export was started with.
    pub(crate) options: Options,
    /// A digest of the plan: another schema gives another plan, in which the resume point means nothing.
    #[serde(with = "saved::hex_number")]
    pub(crate) plan: u64,
    pub(crate) resume_at: ResumePoint<S>,
    /// Parts written.
    pub(crate) parts: u32,
    pub(crate) counts: Counts,
    /// Tables in which rows are missing, and values that were cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) damaged: Vec<String>,
    /// What rows have shown that the object does not keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// The table whose rows are being written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<OpenTable>,
    /// Text after the last part's end.
    #[serde(with = "saved::bytes")]
    pub(crate) carry: Vec<u8>,
}

/// Where in the plan the text that is complete ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResumePoint<S> {
    /// The step, counted from 0.
    pub(crate) step: u32,
    /// In a step of rows: after this position; none: before the first row.
    #[serde(with = "saved::optional_bytes", default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Position>,
    /// What the format has begun there and not ended.
    pub(crate) state: S,
    /// Damaged places before it in a step of rows, where rows are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) gaps: u32,
    /// Rows before it in a step of rows; counted only where there is a limit to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) rows: u64,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// What has been exported up to here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) tables: u32,
    pub(crate) rows: u64,
}

impl<S: Default + Serialize> Checkpoint<S> {
    /// Where an export begins.
    pub(crate) fn first(options: Options, plan: u64) -> Self {
        Self {
            version: VERSION,
            options,
            plan,
            resume_at: ResumePoint::default(),
            parts: 0,
            counts: Counts::default(),
            damaged: Vec::new(),
            warnings: Vec::new(),
            table: None,
            carry: Vec::new(),
        }
    }

    /// As JSON text.
    pub(crate) fn encode(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| {
            Error::InvalidCheckpoint(format!("the checkpoint can't be written: {error}"))
        })
    }
}

/// The JSON text of a checkpoint of this version.
#[derive(Clone, Copy)]
pub(crate) struct CheckpointText<'a>(&'a str);

impl<'a> CheckpointText<'a> {
    /// Refuses text that is no checkpoint, or one of another version.
    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = parse(text)?;
        if version != VERSION {
            return Err(Error::InvalidCheckpoint(format!(
                "the checkpoint has version {version}, but this component reads version {VERSION}: \
                 resume with the component that wrote it, or start the export over"
            )));
        }
        Ok(Self(text))
    }

    /// The name of the format, which says how to decode the rest.
    pub(crate) fn format(self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Head {
            options: Options,
        }
        parse(self.0).map(|head: Head| head.options.format)
    }

    /// The checkpoint, of a format whose state is an `S`.
    pub(crate) fn decode<S: DeserializeOwned>(self) -> Result<Checkpoint<S>, Error> {
        let checkpoint: Checkpoint<S> = parse(self.0)?;
        if checkpoint.options.part_size < SMALLEST_PART {
            return Err(Error::InvalidCheckpoint(
                "the checkpoint is damaged (its part size is too small): start the export over"
                    .to_string(),
            ));
        }
        Ok(checkpoint)
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        Error::InvalidCheckpoint(format!(
            "the checkpoint is damaged ({error}): start the export over"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format's state.
    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct State {
        statement: Option<u64>,
    }

    fn decode(text: &str) -> Result<Checkpoint<State>, Error> {
        CheckpointText::new(text)?.decode()
    }

    fn checkpoint() -> Checkpoint<State> {
        let options = Options {
            format: "sql".into(),
            tables: vec!["t".into()],
            part_size: 4096,
            settings: vec![("rowids".into(), "drop".into())],
        };
        let mut checkpoint = Checkpoint::first(options, u64::MAX);
        checkpoint.resume_at = ResumePoint {
            step: 3,
            after: Some(vec![0, 255]),
            state: State { statement: Some(77) },
            gaps: 2,
            rows: 5,
        };
        checkpoint.damaged = vec!["t".into()];
        checkpoint.warnings = vec!["something".into()];
        checkpoint.table = Some(OpenTable::begin(4000, 9));
        checkpoint.carry = b"it's".to_vec();
        checkpoint
    }

    #[test]
    fn what_is_written_is_read_again() {
        let first = Checkpoint::first(Options { part_size: 4096, ..Options::default() }, 0);
        for checkpoint in [checkpoint(), first] {
            let text = checkpoint.encode().unwrap();
            assert_eq!(decode(&text).unwrap(), checkpoint);
            let format = CheckpointText::new(&text).unwrap().format().unwrap();
            assert_eq!(format, checkpoint.options.format);
        }
    }

    #[test]
    fn a_checkpoint_cut_short_anywhere_is_refused() {
        let text = checkpoint().encode().unwrap();
        for end in 0..text.len() {
            let error = decode(&text[..end]).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }

    #[test]
    fn another_version_is_named_in_the_refusal() {
        let text = checkpoint().encode().unwrap();
        for version in [1, 4] {
            let other = text.replace("\"version\":3", &format!("\"version\":{version}"));
            let error = decode(&other).unwrap_err();
            assert!(error.to_string().contains(&format!("version {version}")), "{error}");
        }
        // Whatever else is in it.
        let error = decode(r#"{"version":1,"place":{"step":0}}"#).unwrap_err();
        assert!(error.to_string().contains("version 1"), "{error}");
    }
}
