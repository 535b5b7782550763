//! A dump, read once: whether it is whole, its counts and its hash.

use sha2::{Digest, Sha256};

use super::lexer::{Event, Lexer, Piece, Rest};
use super::marks::{Ending, LONGEST_BEGINNING, Unfit, check_beginning, check_fragment};
use super::scratch::{Restored, Scratch};

/// How many of the last bytes are kept: more than an end mark has.
const TAIL: usize = 160;

/// What stands behind the end mark of a dump for D1, which refuses a text that ends with a comment.
const D1_END: &[u8] = b"SELECT 1;\n";

/// What reading a dump came to.
#[derive(Debug)]
pub struct Checked {
    pub tables: u64,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
    /// Why it is not whole, each to follow on the dump's name.
    pub problems: Vec<String>,
    /// Whether it was restored. None: that was not asked for.
    pub restored: Option<Restored>,
}

/// Checks a dump whose bytes come in order.
pub struct Check {
    /// The first bytes, until they tell what this is.
    beginning: Option<Vec<u8>>,
    lexer: Lexer,
    hash: Sha256,
    bytes: u64,
    tail: Vec<u8>,
    /// It is for a Durable Object or D1, as its first statement tells.
    for_d1: bool,
    /// The table has come in which a dump for D1 puts long values together.
    has_helper: bool,
    statements: u64,
    /// The user's tables, but for virtual ones.
    tables: u64,
    virtual_tables: u64,
    rows: u64,
    /// The end mark, and where it ends.
    ending: Option<(Ending, u64)>,
    scratch: Option<Scratch>,
}

impl Check {
    /// Begins, and restores along the way if there is a database for that.
    pub fn new(scratch: Option<Scratch>) -> Self {
        Self {
            beginning: Some(Vec::new()),
            lexer: Lexer::default(),
            hash: Sha256::new(),
            bytes: 0,
            tail: Vec::new(),
            for_d1: false,
            has_helper: false,
            statements: 0,
            tables: 0,
            virtual_tables: 0,
            rows: 0,
            ending: None,
            scratch,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// Where this is no dump, or not one that is understood here.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.tail
            .drain(..(self.tail.len() + bytes.len()).saturating_sub(TAIL).min(self.tail.len()));
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let Some(mut beginning) = self.beginning.take() else {
            self.lex(bytes);
            return Ok(());
        };
        beginning.extend(bytes);
        if beginning.len() < LONGEST_BEGINNING && !beginning.contains(&b'\n') {
            self.beginning = Some(beginning);
            return Ok(());
        }
        check_beginning(&beginning)?;
        self.lex(&beginning);
        Ok(())
    }

    fn lex(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, event) = self.lexer.next(bytes);
            if let Some(scratch) = self.restoring() {
                scratch.take(&bytes[..taken]);
            }
            bytes = &bytes[taken..];
            match event {
                None => {}
                Some(Event::Comment(piece)) => {
                    if let Some(scratch) = &mut self.scratch {
                        scratch.skip();
                    }
                    let text = piece.head.strip_suffix(b"\n").unwrap_or(&piece.head);
                    if let (None, Some(ending)) = (self.ending, Ending::read(text)) {
                        self.ending = Some((ending, piece.end));
                    }
                }
                Some(Event::Statement(piece)) => {
                    self.statement(&piece);
                }
            }
        }
    }

    fn statement(&mut self, piece: &Piece) {
        self.statements += 1;
        if self.statements == 1 && behind(&piece.head, b"PRAGMA defer_foreign_keys").is_some() {
            self.for_d1 = true;
            if let Some(scratch) = &mut self.scratch {
                scratch.keep_returns();
            }
        }
        match kind(&piece.head) {
            // Only the first of such a name is the dump's own.
            Kind::Table if self.for_d1 && !self.has_helper && is_helper(&piece.head) => {
                self.has_helper = true;
            }
            Kind::Table => self.tables += 1,
            Kind::VirtualTable => self.virtual_tables += 1,
            Kind::Rows => self.rows += piece.rows,
            Kind::Other => {}
        }
        if let Some(scratch) = self.restoring() {
            scratch.run(piece);
        }
    }

    /// Where to restore into: behind the end there is nothing to restore.
    fn restoring(&mut self) -> Option<&mut Scratch> {
        if self.ending.is_none() { self.scratch.as_mut() } else { None }
    }

    /// How many tables there are. Virtual tables without rows of their own are not in an end mark's count.
    fn tables(&self) -> u64 {
        let most = self.tables + self.virtual_tables;
        match self.ending {
            Some((ending, _)) if (self.tables..=most).contains(&ending.tables) => ending.tables,
            _ => most,
        }
    }

    /// What it came to, when all bytes have been taken.
    ///
    /// # Errors
    ///
    /// Where this is no dump.
    pub fn finish(mut self) -> Result<Checked, Unfit> {
        if let Some(beginning) = &self.beginning {
            check_fragment(beginning)?;
        }
        let problems = self.problems();
        let restored = self.scratch.take().map(Scratch::finish);
        let (tables, rows, bytes) = (self.tables(), self.rows, self.bytes);
        let sha256 = base16ct::lower::encode_string(&self.hash.finalize());
        Ok(Checked { tables, rows, bytes, sha256, problems, restored })
    }

    fn problems(&self) -> Vec<String> {
        let Some((ending, end)) = self.ending else { return vec![self.unended()] };
        let mut problems = Vec::new();
        if let Some(damaged) = ending.damaged {
            problems.push(format!(
                "is not the whole database: {} could not be read to the end when it was exported",
                counted(damaged, "table")
            ));
        }
        let expected = if self.for_d1 { D1_END } else { b"" };
        let behind = usize::try_from(self.bytes - end).unwrap_or(usize::MAX);
        let last = self.tail.get(self.tail.len().saturating_sub(behind)..).unwrap_or_default();
        if behind < expected.len() && expected.starts_with(last) {
            problems.push(format!(
                "is cut off behind {}, within its last line",
                counted(self.bytes, "byte")
            ));
        } else if behind != expected.len() || last != expected {
            problems.push(format!(
                "goes on for {} behind its end mark",
                counted(self.bytes - end, "byte")
            ));
        }
        if (ending.tables, ending.rows) != (self.tables(), self.rows) {
            problems.push(format!(
                "has {} in {}, and its end mark says {} in {}",
                counted(self.rows, "row"),
                counted(self.tables(), "table"),
                counted(ending.rows, "row"),
                counted(ending.tables, "table"),
            ));
        }
        problems
    }

    /// Why there is no end mark.
    fn unended(&self) -> String {
        let tail = if self.for_d1 { self.tail.strip_suffix(D1_END) } else { None };
        let last = tail.unwrap_or(&self.tail).strip_suffix(b"\n").unwrap_or_default();
        let last = last.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match self.lexer.rest() {
            // A quote too many or too few, say.
            Rest::Statement(start) if Ending::read(last).is_some() => format!(
                "is damaged: its end mark stands within the statement that begins at byte {start}"
            ),
            _ => format!(
                "is cut off behind {}: its end mark is missing",
                counted(self.bytes, "byte")
            ),
        }
    }
}

/// What a statement does, as far as it is counted.
enum Kind {
    /// Makes one of the user's tables, or the dump's own.
    Table,
    VirtualTable,
    /// Fills one of the user's tables.
    Rows,
    Other,
}

fn kind(head: &[u8]) -> Kind {
    if let Some(name) = behind(head, b"INSERT INTO \"") {
        // SQLite's own are not counted.
        return if behind(name, b"sqlite_").is_some() { Kind::Other } else { Kind::Rows };
    }
    match behind(head, b"CREATE TABLE ") {
        Some(name) if behind(name, b"IF NOT EXISTS ").is_some() => Kind::Other,
        Some(_) => Kind::Table,
        None if behind(head, b"CREATE VIRTUAL TABLE ").is_some() => Kind::VirtualTable,
        None => Kind::Other,
    }
}

/// Whether a statement makes the table in which a dump for D1 puts long values together.
fn is_helper(head: &[u8]) -> bool {
    behind(head, b"CREATE TABLE partway_value").is_some()
}

/// What follows on some words, however they are spelled.
fn behind<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_at_checked(words.len())?;
    first.eq_ignore_ascii_case(words).then_some(rest)
}

/// A number of things in words: `1 part`, `2 parts`.
fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- partway:begin sql 1\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\n\
        INSERT INTO \"t\" VALUES\n(1),\n('it''s;\n-- partway:end tables=9 rows=9\n');\n\
        CREATE TABLE IF NOT EXISTS sqlite_stat1(tbl,idx,stat);\n\
        INSERT INTO \"SQLite_stat1\" VALUES('t',NULL,'2');\n\
        CREATE TEMP TABLE partway_value2(n,v);\nINSERT INTO partway_value2 VALUES(1,'');\n\
        CREATE TABLE partway_value(v);\nINSERT INTO \"partway_value\"(\"v\") VALUES(1);\n\
        INSERT INTO sqlite_master(type) VALUES('table');\n\
        CREATE VIRTUAL TABLE f USING fts5(a);\nCOMMIT;\n-- partway:end tables=3 rows=3\n";

    fn checked(dump: &[u8], chunk: usize) -> Result<Checked, Unfit> {
        let mut check = Check::new(None);
        dump.chunks(chunk).try_for_each(|bytes| check.feed(bytes))?;
        check.finish()
    }

    #[test]
    fn tables_and_rows_of_the_user_are_counted_however_the_bytes_come() {
        for chunk in [1, 2, 3, 7, 64, 100, 10_000] {
            let checked = checked(DUMP.as_bytes(), chunk).unwrap();
            assert_eq!((checked.tables, checked.rows), (3, 3));
            assert_eq!(checked.bytes, DUMP.len() as u64);
            assert_eq!(checked.problems, [""; 0]);
        }
    }

    #[test]
    fn a_dump_cut_anywhere_is_known_as_cut_off() {
        for end in 1..DUMP.len() {
            let checked = checked(&DUMP.as_bytes()[..end], 50).unwrap();
            let [problem] = checked.problems.try_into().unwrap();
            // Cut behind the false end in a text, it looks damaged there.
            if !problem.contains("is damaged") {
                let behind = format!("is cut off behind {}: ", counted(end as u64, "byte"));
                assert!(problem.starts_with(&behind), "{end}: {problem}");
            }
        }
        assert_eq!(checked(b"", 1).unwrap_err(), Unfit::Empty);
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
            assert_eq!(checked(dump.as_bytes(), 50).unwrap().problems, [""; 0]);
        }
        for tables in ["tables=0", "tables=3"] {
            let dump = dump.replace("tables=1", tables);
            assert_eq!(checked(dump.as_bytes(), 50).unwrap().problems.len(), 1);
        }
        for end in 1..dump.len() {
            let checked = checked(&dump.as_bytes()[..end], 50).unwrap();
            let [problem] = checked.problems.try_into().unwrap();
            assert!(problem.starts_with("is cut off behind "), "{end}: {problem}");
        }
        let more = dump.to_owned() + ";";
        let expected = "goes on for 11 bytes behind its end mark";
        assert_eq!(checked(more.as_bytes(), 50).unwrap().problems, [expected]);
        let ordinary = DUMP.to_owned() + "SELECT 1;\n";
        let expected = "goes on for 10 bytes behind its end mark";
        assert_eq!(checked(ordinary.as_bytes(), 50).unwrap().problems, [expected]);
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
            ("rows=3\n", "rows=3\n ", "goes on for 1 byte behind its end mark"),
            (
                "'t',NULL",
                "'t,NULL",
                "is damaged: its end mark stands within the statement that begins at byte 189",
            ),
            (
                "end tables=3 rows=3",
                "incomplete tables=3 rows=3 damaged=2",
                "is not the whole database: 2 tables could not be read to the end when it was exported",
            ),
        ] {
            let dump = DUMP.replace(from, to);
            assert_ne!(dump, DUMP);
            assert_eq!(checked(dump.as_bytes(), 50).unwrap().problems, [expected]);
        }
    }
}
