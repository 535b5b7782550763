//! Running a dump, and checking it meanwhile.

use std::path::Path;

use partway_verify::{DumpChecker, DumpProblem, RestoreError as RunError};
use sha2::{Digest, Sha256};

use crate::error::RestoreError;
use crate::new_file::NewFile;

/// What a dump must be for its database to appear.
#[derive(Debug, Clone, Default)]
pub struct Requirements {
    /// The SHA-256 of its bytes, in hexadecimal digits. None: any.
    pub sha256: Option<String>,
    /// It may lack what could not be read of a damaged database when it was exported. Not what was cut off afterwards.
    pub may_be_of_damaged: bool,
}

/// A database that is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The user's tables in it.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// The length of the dump, in bytes.
    pub bytes: u64,
    /// What the dump lacks of the database that was exported, if [`Requirements::may_be_of_damaged`].
    pub missing: Vec<DumpProblem>,
}

/// A dump that is being restored. Dropped before it is finished, it leaves nothing.
pub struct Restore {
    checker: DumpChecker,
    file: NewFile,
    requirements: Requirements,
    /// Nothing is hashed that nobody asks for.
    hash: Option<Sha256>,
}

impl Restore {
    /// Begins a new database, which must not exist. Its folder must, and have room for all of it.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Exists`] and [`RestoreError::Create`].
    pub fn into_new(database: &Path, requirements: Requirements) -> Result<Self, RestoreError> {
        let file = NewFile::beside(database)?;
        let checker = DumpChecker::restoring_into(file.path())
            .map_err(|error| RestoreError::of_run(error, database))?;
        let hash = requirements.sha256.as_ref().map(|_| Sha256::new());
        Ok(Self { checker, file, requirements, hash })
    }

    /// The hidden file, to be deleted by who ends the process without dropping this.
    pub fn hidden_file(&self) -> &Path {
        self.file.path()
    }

    /// Takes the next bytes of the dump, any number of them. Its statements are run on a thread of their own; up to 2 MiB of
    /// them wait in memory, and a statement that is longer is waited for.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Format`] for what is no dump; and [`RestoreError::Run`] or [`RestoreError::DiskFull`] for a statement
    /// that has failed, one of these or an earlier one. Nothing is run after it.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.checker.feed(bytes)?;
        match self.checker.take_restore_error() {
            None => Ok(()),
            Some(error) => Err(RestoreError::of_run(error, self.file.target())),
        }
    }

    /// Checks the dump, of which all bytes have come, and gives the database its name.
    ///
    /// # Errors
    ///
    /// All of [`RestoreError`].
    pub fn finish(self) -> Result<Restored, RestoreError> {
        let Self { checker, file, requirements, hash } = self;
        let report = checker.finish()?;
        let is_accepted = |problem: &DumpProblem| {
            requirements.may_be_of_damaged && matches!(problem, DumpProblem::Incomplete { .. })
        };
        let failure = report.restored.and_then(Result::err);
        let is_uncommitted = matches!(failure, None | Some(RunError::NotCommitted));
        // If it is cut off, its COMMIT is missing too: the former says more.
        if is_uncommitted && !report.problems.iter().all(is_accepted) {
            return Err(RestoreError::NotComplete(report.problems));
        }
        if let Some(error) = failure {
            return Err(RestoreError::of_run(error, file.target()));
        }
        if let (Some(expected), Some(hash)) = (requirements.sha256, hash) {
            let found = base16ct::lower::encode_string(&hash.finalize());
            if !expected.eq_ignore_ascii_case(&found) {
                return Err(RestoreError::OtherHash { found, expected });
            }
        }
        file.appear()?;
        Ok(Restored {
            tables: report.tables,
            rows: report.rows,
            bytes: report.bytes,
            missing: report.problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    const DUMP: &str = "-- partway:begin sql 1\nBEGIN;\nCREATE TABLE t(a);\nINSERT INTO \"t\" VALUES\n(1),\n(2);\n\
        COMMIT;\n-- partway:end tables=1 rows=2\n";

    /// What comes of a dump, and how many files there are then.
    fn restored(
        dump: &str,
        requirements: &Requirements,
    ) -> (Result<Restored, RestoreError>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("new.db");
        let mut restore = Restore::into_new(&database, requirements.clone()).unwrap();
        let fed = dump.as_bytes().chunks(7).try_for_each(|bytes| restore.feed(bytes));
        let result = fed.and_then(|()| restore.finish());
        if result.is_ok() {
            let connection = Connection::open(&database).unwrap();
            let sum: i64 =
                connection.query_row("SELECT sum(a) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(sum, 3);
        }
        (result, fs::read_dir(folder.path()).unwrap().count())
    }

    #[test]
    fn a_database_appears_when_its_dump_is_whole() {
        let (result, files) = restored(DUMP, &Requirements::default());
        let found = result.unwrap();
        assert_eq!((found.tables, found.rows, found.bytes, files), (1, 2, DUMP.len() as u64, 1));
        let sha256 = Some(base16ct::upper::encode_string(&Sha256::digest(DUMP)));
        let asked = Requirements { sha256, ..Requirements::default() };
        assert_eq!(restored(DUMP, &asked).0.unwrap(), found);
    }

    #[test]
    fn nothing_appears_of_a_dump_that_is_not() {
        let none = Requirements::default();
        for end in 0..DUMP.len() {
            let (result, files) = restored(&DUMP[..end], &none);
            let is_told =
                matches!(result, Err(RestoreError::NotComplete(_) | RestoreError::Format(_)));
            assert!(is_told && files == 0, "{end}: {result:?}");
        }
        for (from, to, expected) in [
            ("rows=2", "rows=3", "has 2 rows"),
            ("(2)", "(2,3)", "fails"),
            ("COMMIT;\n", "", "COMMIT is missing"),
            ("partway:begin sql 1", "SQL", "is not a SQL dump"),
            ("end tables=1 rows=2", "incomplete tables=1 rows=2 damaged=1", "could not be read"),
        ] {
            let dump = DUMP.replace(from, to);
            assert_ne!(dump, DUMP);
            let (result, files) = restored(&dump, &none);
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected) && files == 0, "{error}");
        }
        let sha256 = Some("00".repeat(32));
        let (result, files) = restored(DUMP, &Requirements { sha256, ..none });
        assert!(matches!(result, Err(RestoreError::OtherHash { .. })) && files == 0, "{result:?}");
    }

    #[test]
    fn what_a_damaged_database_still_had_appears_if_that_is_enough() {
        let dump = DUMP.replace("end tables=1 rows=2", "incomplete tables=1 rows=2 damaged=1");
        let enough = Requirements { may_be_of_damaged: true, ..Requirements::default() };
        let (result, files) = restored(&dump, &enough);
        assert_eq!((result.unwrap().missing.len(), files), (1, 1));
        let cut = dump.replace("rows=2", "rows=3");
        assert!(matches!(restored(&cut, &enough).0, Err(RestoreError::NotComplete(_))));
    }
}
