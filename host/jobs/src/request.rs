//! What to export, and how.

use std::path::PathBuf;
use std::time::Duration;

use partway_codec::Encoding;
use partway_store::StoreAddress;
use serde::{Deserialize, Serialize};

use crate::snapshot_mode::SnapshotMode;
use crate::subset::is_part;

/// What to export, where and how. It contains no secrets: access to a store comes from the
/// environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The database file, or any path by which your own [`Resources`](crate::Resources) identify a
    /// database.
    pub database: PathBuf,
    /// Where the object goes.
    pub store: StoreAddress,
    /// The object's name; none: `dump_YYYYMMDD-HHMMSS.FORMAT`, and `.zst`, `.gz` or `.age` if it is encoded, by the clock (UTC) at the beginning.
    pub name: Option<String>,
    /// The format, one that the component knows.
    pub format: String,
    /// Only these tables, by their names or by patterns with `*` and `?`; empty: everything.
    pub tables: Vec<String>,
    /// Settings specific to the format, as names and values.
    pub settings: Vec<(String, String)>,
    /// How the object is compressed and encrypted.
    #[serde(default, skip_serializing_if = "Encoding::is_none")]
    pub encoding: Encoding,
    /// Whether a manifest is written beside the object, as `NAME.manifest.json`.
    #[serde(default)]
    pub manifest: bool,
    /// Whether there is one object for each table: then [`ExportRequest::name`] is what their names begin with, and one
    /// manifest for all of them, `NAME.manifest.json`, is what the job makes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_table: bool,
    /// Conditions, each for the table of a name: rows that do not meet theirs are left out, as by
    /// [`Snapshot::with_filters`](partway_sqlite::Snapshot::with_filters). Only of trusted people: they may take any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<(String, String)>,
    /// The file of a component other than the default.
    pub component: Option<PathBuf>,
    /// The size of every part except the last, in bytes; none: chosen from the database's size.
    pub part_size: Option<u64>,
    /// How the state of the database is kept.
    pub snapshot: SnapshotMode,
    /// The most bytes of a row that is loaded into memory whole, as those of WITHOUT ROWID tables are; none: the default
    /// of [`Snapshot::with_max_loaded_row`](partway_sqlite::Snapshot::with_max_loaded_row).
    #[serde(default)]
    pub max_loaded_row: Option<u64>,
    /// What to do if the database has changed and its state was not kept.
    pub on_change: OnChange,
    /// How the work is cut into slices; may differ when the export is resumed.
    pub pace: Pace,
}

/// How the work of an export is cut into slices. The object does not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// End a slice after this many parts; none: by time alone.
    pub slice_parts: Option<u32>,
    /// End a slice after this time.
    pub slice_time: Duration,
    /// Pause for this time between slices.
    pub pause: Duration,
    /// How often a failed step is retried, first after 2 s and then after twice as long each time.
    pub retries: u32,
}

impl Default for Pace {
    /// Slices of 25 s without a pause, and six retries, as for an alarm of a Durable Object.
    fn default() -> Self {
        Self {
            slice_parts: None,
            slice_time: Duration::from_secs(25),
            pause: Duration::ZERO,
            retries: 6,
        }
    }
}

/// What to do with an export that was interrupted when the database has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnChange {
    /// Start over, from the database's present state
    Restart,
    /// Fail: no object comes out
    Fail,
}

impl ExportRequest {
    /// Whether nothing of the database is left out: no table, no row, no definition. Objects of tables have no views, for
    /// one.
    pub fn is_of_everything(&self) -> bool {
        !self.each_table
            && self.tables.is_empty()
            && self.filters.is_empty()
            && !is_part(&self.settings)
    }

    /// Whether a client requests the same in both, whatever the host adds.
    pub(crate) fn asks_for_the_same(&self, other: &Self) -> bool {
        self.database == other.database
            && self.name == other.name
            && self.format == other.format
            && self.tables == other.tables
            && self.settings == other.settings
            && self.encoding == other.encoding
            && self.each_table == other.each_table
            && self.filters == other.filters
    }

    /// Whether both request the same bytes, regardless of part size and pace.
    pub(crate) fn is_same_export(&self, other: &Self) -> bool {
        self.format == other.format
            && self.tables == other.tables
            && self.settings == other.settings
            && self.encoding == other.encoding
            && self.each_table == other.each_table
            && self.filters == other.filters
            && self.component == other.component
    }
}

#[cfg(test)]
impl ExportRequest {
    /// A request for a whole database to a folder, with defaults for the rest. Neither need exist.
    pub(crate) fn example() -> Self {
        Self {
            database: "/app.db".into(),
            store: StoreAddress::Folder("/store".into()),
            name: None,
            format: "sql".to_owned(),
            tables: vec![],
            settings: vec![],
            encoding: Encoding::default(),
            manifest: true,
            each_table: false,
            filters: vec![],
            component: None,
            part_size: None,
            snapshot: SnapshotMode::Auto,
            max_loaded_row: None,
            on_change: OnChange::Restart,
            pace: Pace::default(),
        }
    }
}
