//! Which state of the database an export reads: the one that a transaction holds, or a copy.

use anyhow::Context;
use clap::ValueEnum;
use partway::{SavedJob, Snapshot, StoreAddress};
use tempfile::TempDir;

use super::failure::Failure;

/// `--snapshot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    fn copies(self, held: &Snapshot, is_local: bool) -> bool {
        match self {
            Self::Hold => false,
            Self::Copy => true,
            Self::Auto => !held.is_wal() && (!is_local || held.bytes() > SMALL),
        }
    }

    /// The snapshot for an export to a store. A copy that an unfinished export reads is used again.
    pub fn for_store(
        self,
        held: Snapshot,
        address: &StoreAddress,
        saved: &SavedJob,
    ) -> Result<Snapshot, Failure> {
        let path = saved.copy_path();
        let is_saved = saved.load()?.is_some();
        if is_saved && path.exists() {
            return Ok(Snapshot::hold(&path)?);
        }
        let is_local = matches!(address, StoreAddress::Folder(_));
        if is_saved || !self.copies(&held, is_local) {
            return Ok(held);
        }
        Ok(held.copy(&path)?)
    }

    /// The snapshot for an export to standard output, and the folder of a copy, to keep as long as it is read.
    pub fn for_output(self, held: Snapshot) -> Result<(Snapshot, Option<TempDir>), Failure> {
        if !self.copies(&held, true) {
            return Ok((held, None));
        }
        let folder = tempfile::tempdir().context("no folder for a copy of the database")?;
        let copy = held.copy(&folder.path().join("copy.db"))?;
        Ok((copy, Some(folder)))
    }
}
