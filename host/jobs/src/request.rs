//! What somebody wants exported, and how.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use partway_sqlite::Snapshot;
use partway_store::StoreAddress;
use partway_wasmtime::pacing::Pacing;
use tokio_util::sync::CancellationToken;

/// An export as it was asked for. It holds no secrets: access to a store comes from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The database file.
    pub database: PathBuf,
    /// Where the object goes.
    pub store: StoreAddress,
    /// The object's name; none: `dump_YYYYMMDD-HHMMSS.FORMAT`, by the clock at the beginning.
    pub name: Option<String>,
    /// The format, one that the component knows.
    pub format: String,
    /// Only these tables; empty: everything.
    pub tables: Vec<String>,
    /// Settings of the format's own.
    pub settings: Vec<(String, String)>,
    /// Another component than the one inside the program.
    pub component: Option<PathBuf>,
    /// The size of every part but the last, in bytes; none: chosen from the database's size.
    pub part_size: Option<u64>,
    /// How the state of the database is kept.
    pub snapshot: SnapshotMode,
    /// What to do when the database has changed and its state was not kept.
    pub on_change: OnChange,
    /// How the work is cut up; may differ when the export is gone on with.
    pub pace: Pace,
}

/// How the work of an export is cut up. The object does not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// End a slice after this many parts; none: by time alone.
    pub slice_parts: Option<u32>,
    /// End a slice after this time.
    pub slice_time: Duration,
    /// Rest for this time between slices.
    pub pause: Duration,
    /// How often a slice that failed is tried again, from 2 s on doubling.
    pub retries: u32,
}

impl Default for Pace {
    /// Slices of 25 s without a rest, and six retries, as Durable Objects give an alarm.
    fn default() -> Self {
        Self {
            slice_parts: None,
            slice_time: Duration::from_secs(25),
            pause: Duration::ZERO,
            retries: 6,
        }
    }
}

/// How the state of the database is kept for the length of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotMode {
    /// Hold in WAL mode, where writers go on; otherwise hold for exports that take seconds, and copy for others
    Auto,
    /// Read in one transaction: in WAL mode the log grows meanwhile, otherwise writers wait
    Hold,
    /// Copy the database first, to the state folder: writers wait no longer than that takes, and an export that
    /// was cut off goes on whatever has been written since
    Copy,
}

/// Up to this size an export on this machine takes a few seconds (measured: 150 to 200 MB/s), about what a copy
/// takes: writers may as well wait for the export.
const SMALL: u64 = 1 << 30;

impl SnapshotMode {
    /// Whether the database is to be copied for an export to this machine, or to another.
    pub fn copies(self, held: &Snapshot, is_local: bool) -> bool {
        match self {
            Self::Hold => false,
            Self::Copy => true,
            Self::Auto => !held.is_wal() && (!is_local || held.bytes() > SMALL),
        }
    }
}

/// What to do with an export that was cut off when the database has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnChange {
    /// Start over, from the database's present state
    Restart,
    /// Fail: no object comes out
    Fail,
}

impl ExportRequest {
    /// Whether the other is the same wish, whatever the host adds to it.
    pub(crate) fn asks_for_the_same(&self, other: &Self) -> bool {
        self.database == other.database
            && self.name == other.name
            && self.format == other.format
            && self.tables == other.tables
            && self.settings == other.settings
    }

    /// Whether the other asks for the same bytes, in parts of whatever size and at whatever pace.
    pub(crate) fn is_same_export(&self, other: &Self) -> bool {
        self.format == other.format
            && self.tables == other.tables
            && self.settings == other.settings
            && self.component == other.component
    }
}

/// Ends an export when it is to stop.
#[derive(Debug)]
pub struct UntilStopped(pub CancellationToken);

impl Pacing for UntilStopped {
    fn should_yield(&self) -> bool {
        self.0.is_cancelled()
    }

    fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// What to say of an export in which damaged tables are missing in part.
#[derive(Debug, thiserror::Error)]
#[error(
    "the export is not complete: the database is damaged, and could not be read to the end in table {}; all else is \
     there. `sqlite3 FILE .recover` may save more", .0.join("; in table ")
)]
pub struct Incomplete(pub Vec<String>);

/// What to say of an export in which damaged tables are missing in part.
pub fn incomplete(damaged: &[String]) -> Incomplete {
    Incomplete(damaged.to_vec())
}

/// Who is to load a SQL dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The stock sqlite3 program.
    Sqlite,
    /// A Durable Object or D1: statements under 100,000 bytes, no transaction, no writing of the schema table.
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

/// The settings of the format that differ from its defaults.
pub fn settings(no_rowids: bool, target: Option<Target>) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    if no_rowids {
        settings.push(("rowids".to_owned(), "drop".to_owned()));
    }
    if target == Some(Target::D1) {
        settings.push(("target".to_owned(), "d1".to_owned()));
    }
    settings
}

/// A plain name: it must stay in the store's folder or prefix, and not be hidden there.
pub fn object_name(text: &str) -> Result<String, String> {
    // A folder's longest name is 255 bytes, and what is hidden, numbered or incomplete has a longer one.
    if text.len() > 200 {
        return Err("too long: a name has 200 bytes at the most".to_owned());
    }
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
        return Err("not a plain name: it may hold no slash and not begin with a dot".to_owned());
    }
    Ok(text.to_owned())
}
