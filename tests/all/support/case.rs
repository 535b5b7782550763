//! A database that a service exports, and what its dump has to be.

use std::fs;
use std::path::{Path, PathBuf};

use base16ct::lower::encode_string as hex;
use partway_testbed::{compare, restore, write_sample};
use sha2::{Digest, Sha256};

use crate::support::{Server, database, export, stored};

/// A slice of one small part, and a rest after it: exports take as long as a test wants to look at them.
pub const SLOWLY: [&str; 6] = ["--part-size", "64KiB", "--slice-parts", "1", "--pause", "30ms"];

/// A sample, and the folder that its service keeps all in.
pub struct ServiceCase {
    /// Store, state, and what tests put there.
    pub folder: tempfile::TempDir,
    /// The database.
    pub file: PathBuf,
    /// The SHA-256 of its dump.
    pub reference: String,
}

impl ServiceCase {
    /// A sample of so many megabytes.
    pub fn new(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sample.db");
        write_sample(&file, megabytes.into()).unwrap();
        let apart = folder.path().join("reference");
        fs::create_dir(&apart).unwrap();
        let reference = export(&file, &apart, 1024 * 1024, || u32::MAX).finished.sha256;
        Self { folder, file, reference }
    }

    /// Serves it, with store and state in the folder.
    pub fn serve<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Server {
        let own = [self.file.to_str().unwrap()];
        Server::with_store(self.folder.path(), own.into_iter().chain(arguments))
    }

    /// What is in the store, hidden or not.
    pub fn stored(&self) -> Vec<PathBuf> {
        let store = self.folder.path().join("store");
        stored(&store).into_iter().map(|name| store.join(name)).collect()
    }

    /// A dump is that of the sample, and restores to it.
    #[track_caller]
    pub fn is_whole(&self, dump: &[u8]) {
        assert_eq!(hex(&Sha256::digest(dump)), self.reference);
        let file = self.folder.path().join("downloaded.sql");
        let restored = self.folder.path().join("restored.db");
        fs::write(&file, dump).unwrap();
        restore(&file, &restored).unwrap();
        assert!(compare(&self.file, &restored).unwrap().is_empty());
    }
}

/// A database of one table that fills some hundred pages.
pub fn of_many_pages(folder: &Path) -> PathBuf {
    let file = folder.join("damaged.db");
    drop(database(
        &file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
           INSERT INTO t SELECT i, printf('%.*c', 200, 'x') FROM n;",
    ));
    file
}

/// Writes over a page in the middle of a database.
pub fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(file, bytes).unwrap();
}

/// A database of one row.
pub fn tiny(folder: &Path) -> PathBuf {
    let file = folder.join("tiny.db");
    drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    file
}
