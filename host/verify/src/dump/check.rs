//! Checking a dump in one pass: whether it is complete, and its counts.

use std::path::Path;

use partway_importer::{
    D1_LAST_LINE, DumpFormatError, EndMark, Kind, MAX_FIRST_LINE, Remainder, Segment, Span,
    StatementSplitter, Target, after, check_first_line, check_fragment, target_of,
};

use super::image::{Image, MAGIC};
use super::inserted_columns::InsertedColumns;
use super::problem::DumpProblem;
use super::restore::{RestoreError, Restorer};

/// How many of the last bytes are kept: more than an end mark has.
const TAIL: usize = 160;

/// How a dump begins to tell which part it is, if it has no definitions.
const DATA_ONLY: &str = "the data only";

/// What checking a dump found.
#[derive(Debug)]
pub struct DumpReport {
    /// The user's tables in the dump; 0 of an image that is not restored.
    pub tables: u64,
    /// The rows of the user's tables in the dump; 0 of an image that is not restored.
    pub rows: u64,
    /// How many pages it has, if it is an image: the database file itself. None: it is a SQL dump.
    pub pages: Option<u64>,
    /// If it is of a part of a database only: which, in the words of the dump. None: it is of all of it.
    pub part: Option<String>,
    /// The length of the dump, in bytes.
    pub bytes: u64,
    /// Why the dump is not complete. None: it is.
    pub problems: Vec<DumpProblem>,
    /// Which of its tables have rows, and whether these hold rowids: for
    /// [`compare_restored`](crate::compare_restored).
    pub inserted: InsertedColumns,
    /// Whether restoring it succeeded. None: that was not requested.
    pub restored: Option<Result<(), RestoreError>>,
}

impl DumpReport {
    /// Whether the dump is complete: nothing is cut off, damaged or left out.
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks a dump whose bytes come in order, in chunks of any size. Little of it is in memory at a time: the
/// longest statement if it is restored, some hundred bytes if not.
pub struct DumpChecker {
    /// The first bytes, until there are enough to tell what this is.
    beginning: Option<Vec<u8>>,
    splitter: StatementSplitter,
    bytes: u64,
    tail: Vec<u8>,
    /// It is a dump for a Durable Object or D1, by its first statement.
    for_d1: bool,
    /// The table in which a dump for D1 joins the pieces of long values was there.
    has_helper: bool,
    statements: u64,
    /// The user's tables, without virtual ones.
    tables: u64,
    virtual_tables: u64,
    rows: u64,
    inserted: InsertedColumns,
    /// Which part of a database it says it is.
    part: Option<String>,
    /// The end mark, and where it ends.
    end_mark: Option<(EndMark, u64)>,
    restorer: Option<Restorer>,
    /// Where it turns out to be a database file.
    image: Option<Image>,
}

impl Default for DumpChecker {
    fn default() -> Self {
        Self::new()
    }
}

impl DumpChecker {
    /// Checks without restoring.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Checks, and restores the dump into a new database file along the way. The file is not deleted
    /// afterwards.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Create`] if the database can't be created.
    pub fn restoring_into(database: &Path) -> Result<Self, RestoreError> {
        Ok(Self::with(Some(Restorer::create(database)?)))
    }

    fn with(restorer: Option<Restorer>) -> Self {
        Self {
            beginning: Some(Vec::new()),
            splitter: StatementSplitter::default(),
            bytes: 0,
            tail: Vec::new(),
            for_d1: false,
            has_helper: false,
            statements: 0,
            tables: 0,
            virtual_tables: 0,
            rows: 0,
            inserted: InsertedColumns::default(),
            part: None,
            end_mark: None,
            restorer,
            image: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// [`DumpFormatError`] if this is not a dump, or is a dump of a newer format.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DumpFormatError> {
        self.bytes += bytes.len() as u64;
        if let Some(image) = &mut self.image {
            image.take(bytes);
            return Ok(());
        }
        self.tail
            .drain(..(self.tail.len() + bytes.len()).saturating_sub(TAIL).min(self.tail.len()));
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let Some(mut beginning) = self.beginning.take() else {
            self.split(bytes);
            return Ok(());
        };
        beginning.extend(bytes);
        if beginning.starts_with(MAGIC) {
            let copy = self.restorer.take().map(Restorer::into_path);
            self.image.insert(Image::new(copy.as_deref())).take(&beginning);
            return Ok(());
        }
        if beginning.len() < MAX_FIRST_LINE && !beginning.contains(&b'\n') {
            self.beginning = Some(beginning);
            return Ok(());
        }
        check_first_line(&beginning)?;
        self.split(&beginning);
        Ok(())
    }

    /// Why restoring has failed already, once. The statements after that are not run, and only counted.
    pub fn take_restore_error(&mut self) -> Option<RestoreError> {
        match &mut self.image {
            Some(image) => image.take_failure(),
            None => self.restorer.as_mut()?.take_failure(),
        }
    }

    fn split(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, segment) = self.splitter.next(bytes);
            if let Some(restorer) = self.restoring() {
                restorer.take(&bytes[..taken]);
            }
            bytes = &bytes[taken..];
            match segment {
                None => {}
                Some(Segment::Comment(span)) => {
                    if let Some(restorer) = &mut self.restorer {
                        restorer.skip();
                    }
                    let text = span.head.strip_suffix(b"\n").unwrap_or(&span.head);
                    if let (0, None, Some(part)) = (self.statements, &self.part, part(text)) {
                        self.part = Some(part);
                    }
                    if let (None, Some(end_mark)) = (self.end_mark, EndMark::parse(text)) {
                        self.end_mark = Some((end_mark, span.end));
                    }
                }
                Some(Segment::Statement(span)) => self.statement(&span),
            }
        }
    }

    fn statement(&mut self, span: &Span) {
        self.statements += 1;
        if self.statements == 1 && target_of(&span.head) == Target::D1 {
            self.for_d1 = true;
            if let Some(restorer) = &mut self.restorer {
                restorer.keep_returns();
            }
        }
        match Kind::of(&span.head) {
            // Only the first table of that name is the dump's own.
            Kind::Table if self.for_d1 && !self.has_helper && is_helper(&span.head) => {
                self.has_helper = true;
            }
            Kind::Table => self.tables += 1,
            Kind::VirtualTable => self.virtual_tables += 1,
            Kind::Rows(names) => {
                self.rows += span.rows;
                self.inserted.take(names);
            }
            Kind::Setting | Kind::Other => {}
        }
        if let Some(restorer) = self.restoring() {
            restorer.run(span);
        }
    }

    /// What restores the dump. After the end mark there is nothing to restore.
    fn restoring(&mut self) -> Option<&mut Restorer> {
        if self.end_mark.is_none() { self.restorer.as_mut() } else { None }
    }

    /// How many tables there are. An end mark does not count virtual tables that store no rows themselves,
    /// and these can't be told from others here, so any number between is right.
    fn tables(&self) -> u64 {
        let most = self.tables + self.virtual_tables;
        match self.end_mark {
            // Without definitions, only the end mark tells how many tables there are.
            Some((mark, _))
                if self.part.as_ref().is_some_and(|part| part.starts_with(DATA_ONLY)) =>
            {
                mark.tables
            }
            Some((mark, _)) if (self.tables..=most).contains(&mark.tables) => mark.tables,
            _ => most,
        }
    }

    /// What checking found, when all bytes have been fed.
    ///
    /// # Errors
    ///
    /// [`DumpFormatError`] if this is not a dump.
    pub fn finish(mut self) -> Result<DumpReport, DumpFormatError> {
        if let Some(image) = self.image.take() {
            return Ok(self.finish_image(image));
        }
        if let Some(beginning) = &self.beginning {
            check_fragment(beginning)?;
        }
        let problems = self.problems();
        let restored = self.restorer.take().map(Restorer::finish);
        let (tables, rows, bytes) = (self.tables(), self.rows, self.bytes);
        let inserted = self.inserted;
        let (pages, part) = (None, self.part);
        Ok(DumpReport { tables, rows, pages, part, bytes, problems, inserted, restored })
    }

    /// What checking an image found. One that has another length than it should is not opened.
    fn finish_image(self, image: Image) -> DumpReport {
        let pages = Some(image.pages());
        let mut problems = Vec::from_iter(image.problem());
        let checked = if problems.is_empty() { image.finish() } else { None };
        let (mut tables, mut rows) = (0, 0);
        let restored = checked.map(|checked| {
            let (contents, damage) = checked?;
            (tables, rows) = (contents.tables, contents.rows);
            problems.extend(damage);
            Ok(())
        });
        let (bytes, inserted) = (self.bytes, self.inserted);
        let part = None;
        DumpReport { tables, rows, pages, part, bytes, problems, inserted, restored }
    }

    fn problems(&self) -> Vec<DumpProblem> {
        let Some((end_mark, end)) = self.end_mark else { return vec![self.missing_end_mark()] };
        let mut problems = Vec::new();
        if let Some(damaged_tables) = end_mark.damaged {
            problems.push(DumpProblem::Incomplete { damaged_tables });
        }
        let expected = if self.for_d1 { D1_LAST_LINE } else { b"" };
        let after = usize::try_from(self.bytes - end).unwrap_or(usize::MAX);
        let last = self.tail.get(self.tail.len().saturating_sub(after)..).unwrap_or_default();
        if after < expected.len() && expected.starts_with(last) {
            problems.push(DumpProblem::CutOffInLastLine { bytes: self.bytes });
        } else if after != expected.len() || last != expected {
            problems.push(DumpProblem::TrailingBytes { bytes: self.bytes - end });
        }
        if (end_mark.tables, end_mark.rows) != (self.tables(), self.rows) {
            problems.push(DumpProblem::WrongCounts {
                rows: self.rows,
                tables: self.tables(),
                expected_rows: end_mark.rows,
                expected_tables: end_mark.tables,
            });
        }
        problems
    }

    /// Why there is no end mark.
    fn missing_end_mark(&self) -> DumpProblem {
        let tail = if self.for_d1 { self.tail.strip_suffix(D1_LAST_LINE) } else { None };
        let last = tail.unwrap_or(&self.tail).strip_suffix(b"\n").unwrap_or_default();
        let last = last.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match self.splitter.unfinished() {
            // A quote too many or too few, say.
            Remainder::Statement(start) if EndMark::parse(last).is_some() => {
                DumpProblem::EndMarkInStatement { start }
            }
            _ => DumpProblem::CutOff { bytes: self.bytes },
        }
    }
}

/// What a comment says that the dump is a part of a database by.
fn part(comment: &[u8]) -> Option<String> {
    let part = comment.strip_prefix(b"-- partway:part ")?;
    Some(String::from_utf8_lossy(part).into_owned())
}

/// Whether a statement creates the table in which a dump for D1 joins the pieces of long values.
fn is_helper(head: &[u8]) -> bool {
    after(head, b"CREATE TABLE partway_value").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plural::pluralize;

    const DUMP: &str = "-- partway:begin sql 1\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\n\
        INSERT INTO \"t\" VALUES\n(1),\n('it''s;\n-- partway:end tables=9 rows=9\n');\n\
        CREATE TABLE IF NOT EXISTS sqlite_stat1(tbl,idx,stat);\n\
        INSERT INTO \"SQLite_stat1\" VALUES('t',NULL,'2');\n\
        CREATE TEMP TABLE partway_value2(n,v);\nINSERT INTO partway_value2 VALUES(1,'');\n\
        CREATE TABLE partway_value(v);\nINSERT INTO \"partway_value\"(\"v\") VALUES(1);\n\
        INSERT INTO sqlite_master(type) VALUES('table');\n\
        CREATE VIRTUAL TABLE f USING fts5(a);\nCOMMIT;\n-- partway:end tables=3 rows=3\n";

    fn checked(dump: &[u8], chunk: usize) -> Result<DumpReport, DumpFormatError> {
        let mut checker = DumpChecker::new();
        dump.chunks(chunk).try_for_each(|bytes| checker.feed(bytes))?;
        checker.finish()
    }

    fn texts(report: &DumpReport) -> Vec<String> {
        report.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_and_rows_of_the_user_are_counted_however_the_bytes_come() {
        for chunk in [1, 2, 3, 7, 64, 100, 10_000] {
            let checked = checked(DUMP.as_bytes(), chunk).unwrap();
            assert_eq!((checked.tables, checked.rows), (3, 3));
            assert_eq!(checked.bytes, DUMP.len() as u64);
            assert_eq!(texts(&checked), [""; 0]);
        }
    }

    #[test]
    fn a_dump_cut_anywhere_is_known_as_cut_off() {
        for end in 1..DUMP.len() {
            let checked = checked(&DUMP.as_bytes()[..end], 50).unwrap();
            let [problem] = texts(&checked).try_into().unwrap();
            // Cut off after the false end mark in a text, it looks damaged there.
            if !problem.contains("is damaged") {
                let expected = format!("is cut off after {}: ", pluralize(end as u64, "byte"));
                assert!(problem.starts_with(&expected), "{end}: {problem}");
            }
        }
        assert_eq!(checked(b"", 1).unwrap_err(), DumpFormatError::Empty);
    }

    #[test]
    fn a_dump_for_d1_has_a_table_and_an_end_of_its_own() {
        let dump = "-- partway:begin sql 1\nPRAGMA defer_foreign_keys=TRUE;\n\
            CREATE TABLE partway_value2(n INTEGER PRIMARY KEY,v);\n\
            CREATE TABLE partway_value(a);\nCREATE VIRTUAL TABLE f USING fts5(a);\n\
            INSERT INTO partway_value2 VALUES(1,'');\nINSERT INTO \"partway_value\" VALUES\n(1);\n\
            -- partway:end tables=1 rows=1\nSELECT 1;\n";
        for tables in ["tables=1", "tables=2"] {
            let dump = dump.replace("tables=1", tables);
            assert_eq!(texts(&checked(dump.as_bytes(), 50).unwrap()), [""; 0]);
        }
        for tables in ["tables=0", "tables=3"] {
            let dump = dump.replace("tables=1", tables);
            assert_eq!(checked(dump.as_bytes(), 50).unwrap().problems.len(), 1);
        }
        for end in 1..dump.len() {
            let checked = checked(&dump.as_bytes()[..end], 50).unwrap();
            let [problem] = texts(&checked).try_into().unwrap();
            assert!(problem.starts_with("is cut off after "), "{end}: {problem}");
        }
        let more = dump.to_owned() + ";";
        let expected = "has 11 bytes after its end mark";
        assert_eq!(texts(&checked(more.as_bytes(), 50).unwrap()), [expected]);
        let ordinary = DUMP.to_owned() + "SELECT 1;\n";
        let expected = "has 10 bytes after its end mark";
        assert_eq!(texts(&checked(ordinary.as_bytes(), 50).unwrap()), [expected]);
    }

    #[test]
    fn what_is_wrong_at_the_end_is_told() {
        for (from, to, expected) in [
            (
                "rows=3\n",
                "rows=4\n",
                "has 3 rows in 3 tables, and its end mark says 4 rows in 3 tables",
            ),
            (
                "tables=3",
                "tables=1",
                "has 3 rows in 3 tables, and its end mark says 3 rows in 1 table",
            ),
            ("rows=3\n", "rows=3\n ", "has 1 byte after its end mark"),
            (
                "'t',NULL",
                "'t,NULL",
                "is damaged: its end mark is inside the statement that begins at byte 189",
            ),
            (
                "end tables=3 rows=3",
                "incomplete tables=3 rows=3 damaged=2",
                "does not contain the whole database: 2 tables could not be read to the end when it was exported",
            ),
        ] {
            let dump = DUMP.replace(from, to);
            assert_ne!(dump, DUMP);
            assert_eq!(texts(&checked(dump.as_bytes(), 50).unwrap()), [expected]);
        }
    }
}
