//! The manifest: its members, and its JSON text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hex;

/// Goes up when what a member means changes. Members may be added without that.
pub(crate) const VERSION: u32 = 1;

/// What the name of a manifest ends with, behind that of the object.
pub const MANIFEST_SUFFIX: &str = ".manifest.json";

/// The name of the manifest of an object of this name.
pub fn manifest_name(object: &str) -> String {
    format!("{object}{MANIFEST_SUFFIX}")
}

/// Whether a text begins as manifests do: what can't be read of it is damage, then. One too short to tell counts.
pub fn begins_as_manifest(text: &[u8]) -> bool {
    let mut rest = text.trim_ascii_start();
    for expected in [b"{".as_slice(), b"\"manifest"] {
        let length = expected.len().min(rest.len());
        let (start, behind) = rest.split_at(length);
        if !expected.starts_with(start) {
            return false;
        }
        rest = behind.trim_ascii_start();
    }
    true
}

/// What is in an object, and how it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this description: 1.
    #[serde(rename = "manifest")]
    pub version: u32,
    /// The object as it is stored.
    pub object: ManifestObject,
    /// What is in it.
    pub contents: ManifestContents,
    /// The state of the database that was read, as an opaque text: the same for the same state of the same file. None: it can't be
    /// told.
    pub source_fingerprint: Option<String>,
    /// The SHA-256 of the export component's bytes, in hexadecimal digits.
    pub component_sha256: String,
    /// The program or library, and its version.
    pub made_by: String,
    /// When the export was asked for, by RFC 3339, in UTC.
    pub began: String,
    /// When its last slice had ended.
    pub ended: String,
    /// Seconds at work, in all processes and without pauses.
    pub seconds: f64,
    /// The object's parts, in order: they follow each other without gaps.
    pub parts: Vec<ManifestPart>,
    /// The tables, in the order of their rows. Empty if the component does not tell, or the format is no list of tables.
    pub tables: Vec<ManifestTable>,
}

/// An object as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestObject {
    /// Its name in the store.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// How it is compressed, for example `zstd:3`. None: it is not.
    pub compression: Option<String>,
    /// The SHA-256 of the codec component that has compressed it, in hexadecimal digits. None: no component has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_sha256: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// What is in an object, before it is compressed and encrypted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestContents {
    /// The format.
    pub format: String,
    /// The format's settings, by their names.
    pub settings: BTreeMap<String, String>,
    /// The tables that were asked for, by names and patterns. Empty: all.
    pub only_tables: Vec<String>,
    /// The conditions of rows.
    pub filters: Vec<ManifestFilter>,
    /// Its length, in bytes.
    pub bytes: u64,
    /// How many tables are in it.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// What the export does not preserve, one sentence each.
    pub warnings: Vec<String>,
    /// Tables in which rows are missing because the database is damaged, and values that were cut off.
    pub damaged: Vec<String>,
}

/// The condition of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFilter {
    /// The table.
    pub table: String,
    /// The condition, an expression in SQL.
    #[serde(rename = "where")]
    pub condition: String,
}

/// A part of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// Its length, in bytes.
    pub bytes: u64,
    /// The XXH64 of its bytes, with seed 0: 16 hexadecimal digits.
    #[serde(with = "hex")]
    pub xxh64: u64,
}

/// A table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestTable {
    /// Its name. Bytes that are not UTF-8 are replaced.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// Where the first byte of its rows is in the contents.
    pub offset: u64,
    /// How many bytes its rows have there.
    pub bytes: u64,
    /// The XXH64 of these bytes, with seed 0: 16 hexadecimal digits. The same rows in the same format have the same.
    #[serde(with = "hex")]
    pub xxh64: u64,
}

/// Why a manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON text of this form.
    #[error("it is damaged, cut off or no manifest: {0}")]
    Form(serde_json::Error),
    /// It is of a version to come.
    #[error("it has version {found}, and this program reads version {VERSION}: use a newer one")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// Its numbers contradict each other.
    #[error(
        "it is damaged: its parts are not as long together as the object, or its tables overlap"
    )]
    Contradiction,
}

impl From<serde_json::Error> for ManifestError {
    fn from(error: serde_json::Error) -> Self {
        // Its text is told once, and not as a source as well.
        Self::Form(error)
    }
}

impl Manifest {
    /// A manifest of an object, without parts and tables.
    pub fn new(object: ManifestObject, contents: ManifestContents) -> Self {
        Self {
            version: VERSION,
            object,
            contents,
            source_fingerprint: None,
            component_sha256: String::new(),
            made_by: String::new(),
            began: String::new(),
            ended: String::new(),
            seconds: 0.0,
            parts: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// All of [`ManifestError`].
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            manifest: u32,
        }
        let Version { manifest: found } = serde_json::from_slice(text)?;
        if found > VERSION {
            return Err(ManifestError::Newer { found });
        }
        let manifest: Self = serde_json::from_slice(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// As JSON text.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Form`], where a number of seconds is none, and [`ManifestError::Contradiction`].
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Whether its numbers agree.
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        let mut parts = self.parts.iter();
        let length = parts.try_fold(0_u64, |sum, part| sum.checked_add(part.bytes));
        let mut tables = self.tables.iter();
        let end = tables.try_fold(0_u64, |end, table| match table.offset >= end {
            true => table.offset.checked_add(table.bytes),
            false => None,
        });
        let agree =
            length == Some(self.object.bytes) && end.is_some_and(|end| end <= self.contents.bytes);
        if agree { Ok(()) } else { Err(ManifestError::Contradiction) }
    }
}
