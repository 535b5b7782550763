//! An image: the database file itself, in place of a dump.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::problem::DumpProblem;
use super::restore::RestoreError;

/// What a database file begins with.
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";

/// The bytes of its header.
const HEADER: usize = 100;

/// An image that is read, and copied to a file if it is to be restored.
pub(crate) struct Image {
    header: Vec<u8>,
    bytes: u64,
    copy: Option<Copy>,
}

struct Copy {
    path: PathBuf,
    file: io::Result<File>,
}

/// What the user has in a restored image.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) tables: u64,
    pub(crate) rows: u64,
}

impl Image {
    /// An image of which nothing has been read. `copy`: the file to copy it to, in place of what is there.
    pub(crate) fn new(copy: Option<&Path>) -> Self {
        let copy = copy.map(|path| Copy { path: path.to_owned(), file: File::create(path) });
        Self { header: Vec::new(), bytes: 0, copy }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let missing = HEADER.saturating_sub(self.header.len()).min(bytes.len());
        self.header.extend_from_slice(&bytes[..missing]);
        self.bytes += bytes.len() as u64;
        if let Some(Copy { file, .. }) = &mut self.copy
            && let Ok(to) = file
            && let Err(error) = to.write_all(bytes)
        {
            *file = Err(error);
        }
    }

    /// Why it can't be copied, once.
    pub(crate) fn take_failure(&mut self) -> Option<RestoreError> {
        let file = &mut self.copy.as_mut()?.file;
        let gone = || io::Error::other("writing it has failed");
        let failed = file.as_ref().is_err();
        let error = failed.then(|| std::mem::replace(file, Err(gone())))?.err()?;
        Some(RestoreError::Write(error))
    }

    /// How many pages it has, by its length.
    pub(crate) fn pages(&self) -> u64 {
        self.bytes.checked_div(self.page_size()).unwrap_or(0)
    }

    /// What its length tells: the header says how long it is (SQLite's file format, section 1.3).
    pub(crate) fn problem(&self) -> Option<DumpProblem> {
        let (bytes, page_size) = (self.bytes, self.page_size());
        let is_sound = page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        if self.header.len() == HEADER && !is_sound {
            return Some(DumpProblem::DamagedImage(
                "its header names no size of a page".to_owned(),
            ));
        }
        // A version before 3.7 leaves the number of pages behind as it was.
        let is_known = self.header.get(24..28) == self.header.get(92..96) && self.number(28) > 0;
        let whole = match (self.header.len() == HEADER, is_known) {
            (false, _) => HEADER as u64,
            (true, true) => u64::from(self.number(28)) * page_size,
            (true, false) => bytes.next_multiple_of(page_size),
        };
        (bytes != whole).then_some(DumpProblem::WrongLength { bytes, expected: whole })
    }

    fn page_size(&self) -> u64 {
        match self.header.get(16..18) {
            Some([0, 1]) => 65_536,
            Some(&[high, low]) => u64::from(u16::from_be_bytes([high, low])),
            _ => 0,
        }
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    }

    /// Has SQLite check the copy, and counts what is in it. None: there is no copy.
    pub(crate) fn finish(
        mut self,
    ) -> Option<Result<(Contents, Option<DumpProblem>), RestoreError>> {
        if let Some(error) = self.take_failure() {
            return Some(Err(error));
        }
        let Copy { path, file } = self.copy?;
        drop(file);
        Some(check(&path).map_err(RestoreError::Close))
    }
}

/// What is in a database, and what is wrong with it.
fn check(path: &Path) -> rusqlite::Result<(Contents, Option<DumpProblem>)> {
    let damaged = |reason: String| Some(DumpProblem::DamagedImage(reason));
    let read = || {
        // One in WAL mode has a file made beside it, and deleted again.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Ok((Contents::default(), damaged(found)));
        }
        Ok((count(&connection)?, None))
    };
    match read() {
        Err(rusqlite::Error::SqliteFailure(error, text))
            if matches!(
                error.code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            ) =>
        {
            let reason = text.unwrap_or_else(|| error.to_string());
            Ok((Contents::default(), damaged(reason)))
        }
        other => other,
    }
}

/// The user's tables, without virtual ones, and their rows.
fn count(connection: &Connection) -> rusqlite::Result<Contents> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 \
               AND lower(substr(name, 1, 7)) <> 'sqlite_'";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut contents = Contents { tables: names.len() as u64, rows: 0 };
    for name in names {
        let sql = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        contents.rows += connection.query_row(&sql, [], |row| row.get::<_, u64>(0))?;
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DumpChecker, DumpReport};

    /// An image of some pages.
    fn image(folder: &Path) -> Vec<u8> {
        let path = folder.join("made.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (a); CREATE INDEX i ON t(a); CREATE TABLE u (b PRIMARY KEY) WITHOUT ROWID;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
                 INSERT INTO t SELECT printf('%50d', i) FROM n; INSERT INTO u VALUES (1), (2);",
            )
            .unwrap();
        drop(connection);
        std::fs::read(path).unwrap()
    }

    fn checked(image: &[u8], into: Option<&Path>) -> DumpReport {
        let mut checker = match into {
            Some(path) => DumpChecker::restoring_into(path).unwrap(),
            None => DumpChecker::new(),
        };
        image.chunks(7).for_each(|bytes| checker.feed(bytes).unwrap());
        checker.finish().unwrap()
    }

    #[test]
    fn an_image_comes_back_as_it_is_and_its_contents_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let restored = folder.path().join("restored.db");
        let report = checked(&image, Some(&restored));
        assert!(report.is_complete() && matches!(report.restored, Some(Ok(()))), "{report:?}");
        assert_eq!(report.pages, Some(image.len() as u64 / 4096));
        assert_eq!((report.tables, report.rows, report.bytes), (2, 502, image.len() as u64));
        assert_eq!(std::fs::read(&restored).unwrap(), image);
        // Without a copy nothing is counted.
        let report = checked(&image, None);
        assert!(report.is_complete() && report.restored.is_none());
    }

    #[test]
    fn an_image_that_is_cut_off_longer_or_damaged_is_known_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let all = image.len();
        for end in [MAGIC.len(), 63, 64, 99, 100, 4095, 4096, all - 4096, all - 1] {
            let report = checked(&image[..end], None);
            let [problem] = &report.problems[..] else { panic!("{end}: {report:?}") };
            let text = problem.to_string();
            assert!(text.contains("is cut off") && text.contains(&end.to_string()), "{text}");
        }
        let longer = checked(&[&image[..], b"x"].concat(), None);
        assert!(longer.problems[0].to_string().contains("1 byte behind"), "{longer:?}");
        // In its first page; in another one.
        for at in [18..20, 100..108, 4096..4104] {
            let mut damaged = image.clone();
            damaged[at.clone()].fill(0xee);
            let report = checked(&damaged, Some(&folder.path().join(format!("{}.db", at.start))));
            let text = report.problems.iter().map(ToString::to_string).collect::<String>();
            assert!(text.contains("is damaged"), "{at:?}: {report:?}");
        }
    }
}
