//! Whether a database file is still in the state that an export began with.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The state of a database file and its write-ahead log. Two equal fingerprints mean that nothing
/// was committed in between; a checkpoint of the log changes the fingerprint too.
///
/// It is made from the system's metadata of the files and from the log's header, which contains its
/// salts. The database file itself is never opened for this: closing any handle of a file drops all
/// POSIX locks that the process holds on it, SQLite's among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(String);

/// Longer than a tick of the kernel's clock, which is 10 ms at most: two changes within one tick give a file
/// the same times.
const CLOCK_TICK: Duration = Duration::from_millis(20);

impl Fingerprint {
    /// Takes the fingerprint of a database; none if it was changed so recently that a further
    /// change might not show.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let database = FileState::of(path)?;
        let (log_state, header) = match FileState::of(&log) {
            Ok(state) => (state, log_header(&log)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(error) => return Err(error),
        };
        let lately = [database.changed, log_state.changed]
            .iter()
            .any(|changed| changed.elapsed().is_ok_and(|ago| ago < CLOCK_TICK));
        Ok((!lately).then(|| Self(format!("{database} {log_state} {header}"))))
    }

    /// Like [`Fingerprint::of`], after waiting briefly for a recent change to age.
    pub(crate) fn settled(path: &Path) -> io::Result<Option<Self>> {
        for _ in 0..10 {
            if let Some(fingerprint) = Self::of(path)? {
                return Ok(Some(fingerprint));
            }
            std::thread::sleep(CLOCK_TICK);
        }
        Ok(None)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// For another kind of database: any text that no other state has.
impl From<String> for Fingerprint {
    fn from(text: String) -> Self {
        Self(text)
    }
}

struct FileState {
    length: u64,
    changed: SystemTime,
    /// Which file it is, and when anything about it was changed, the time above included: a file
    /// put in its place may have the same length and time.
    identity: String,
}

impl Default for FileState {
    fn default() -> Self {
        Self { length: 0, changed: UNIX_EPOCH, identity: String::new() }
    }
}

impl FileState {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        // An empty log holds no transaction, whenever it was made.
        if meta.len() == 0 {
            return Ok(Self::default());
        }
        Ok(Self { length: meta.len(), changed: meta.modified()?, identity: identity(&meta) })
    }
}

impl std::fmt::Display for FileState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed = self.changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(f, "{}@{}{}", self.length, changed.as_nanos(), self.identity)
    }
}

#[cfg(unix)]
fn identity(meta: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("/{}/{}/{}.{}", meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> String {
    String::new()
}

/// The log's header in hexadecimal digits: 32 bytes, with the salts that change whenever the log starts
/// from its beginning again (SQLite's file format, section 4.1).
fn log_header(path: &Path) -> io::Result<String> {
    let mut header = Vec::new();
    File::open(path)?.take(32).read_to_end(&mut header)?;
    Ok(base16ct::lower::encode_string(&header))
}
