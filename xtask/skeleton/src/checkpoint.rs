//! What a slice hands to the next, which runs in a new instance and knows nothing else.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::exports::partway::pipe::exporter::{Error, Options};

/// Change it whenever the format changes: a checkpoint of another version is refused.
const VERSION: u64 = 1;

/// A place in the export. All text before it is complete.
#[derive(Clone, Default)]
pub struct Point {
    /// Which table, counted from 0.
    pub table: usize,
    /// In it, behind this position; none: before its heading.
    pub after: Option<Vec<u8>>,
    /// Rows that are complete.
    pub rows: u64,
}

/// The end of a part.
#[derive(Clone)]
pub struct Checkpoint {
    /// The tables that were asked for.
    pub tables: Vec<String>,
    pub part_size: usize,
    /// Parts written.
    pub parts: u32,
    /// A place behind the end of the last part.
    pub point: Point,
    /// The text between the two.
    pub carry: Vec<u8>,
}

impl Checkpoint {
    pub fn first(options: Options) -> Self {
        Self {
            tables: options.tables,
            part_size: options.part_size as usize,
            parts: 0,
            point: Point::default(),
            carry: Vec::new(),
        }
    }

    pub fn encode(&self) -> String {
        json!({
            "version": VERSION,
            "tables": self.tables,
            "part_size": self.part_size,
            "parts": self.parts,
            "table": self.point.table,
            "after": self.point.after.as_deref().map(hex),
            "rows": self.point.rows,
            "carry": hex(&self.carry),
        })
        .to_string()
    }

    pub fn decode(text: &str) -> Result<Self, Error> {
        let damaged = || {
            Error::InvalidCheckpoint(String::from(
                "the checkpoint is damaged: start the export over",
            ))
        };
        let fields: Value = serde_json::from_str(text).map_err(|_| damaged())?;
        if fields["version"].as_u64() != Some(VERSION) {
            let version = &fields["version"];
            let message = format!(
                "the checkpoint has version {version}, not {VERSION}: start the export over"
            );
            return Err(Error::InvalidCheckpoint(message));
        }
        let read = || -> Option<Self> {
            let number = |name: &str| fields[name].as_u64();
            let after = match &fields["after"] {
                Value::Null => None,
                position => Some(bytes(position)?),
            };
            Some(Self {
                tables: fields["tables"]
                    .as_array()?
                    .iter()
                    .filter_map(|name| name.as_str().map(String::from))
                    .collect(),
                part_size: number("part_size").filter(|size| *size > 0)? as usize,
                parts: number("parts")? as u32,
                point: Point {
                    table: number("table")? as usize,
                    after,
                    rows: number("rows")?,
                },
                carry: bytes(&fields["carry"])?,
            })
        };
        read().ok_or_else(damaged)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &Value) -> Option<Vec<u8>> {
    let pairs = hex.as_str()?.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
