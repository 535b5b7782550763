//! A dump, read once: whether it is whole, its counts and its hash.

use sha2::{Digest, Sha256};

use super::lexer::{Event, Lexer, Piece, Rest};
use super::marks::{Ending, LONGEST_BEGINNING, Unfit, check_beginning, check_fragment};
use super::scratch::{Restored, Scratch};
use crate::export::counted;

/// How many of the last bytes are kept: more than an end mark has.
const TAIL: usize = 160;

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
    tables: u64,
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
            tables: 0,
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
            if let Some(scratch) = &mut self.scratch {
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
                    self.tables += u64::from(makes_table(&piece.head));
                    self.rows += if fills_table(&piece.head) { piece.rows } else { 0 };
                    self.restore(&piece);
                }
            }
        }
    }

    fn restore(&mut self, piece: &Piece) {
        // Behind the end there is nothing to restore.
        if let (Some(scratch), None) = (&mut self.scratch, self.ending) {
            scratch.run(piece);
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
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let (tables, rows, bytes) = (self.tables, self.rows, self.bytes);
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
        if self.bytes > end {
            problems.push(format!(
                "goes on for {} behind its end mark",
                counted(self.bytes - end, "byte")
            ));
        }
        if (ending.tables, ending.rows) != (self.tables, self.rows) {
            problems.push(format!(
                "has {} in {}, and its end mark says {} in {}",
                counted(self.rows, "row"),
                counted(self.tables, "table"),
                counted(ending.rows, "row"),
                counted(ending.tables, "table"),
            ));
        }
        problems
    }

    /// Why there is no end mark.
    fn unended(&self) -> String {
        let last = self.tail.strip_suffix(b"\n").unwrap_or_default();
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

/// Whether a statement makes one of the user's tables.
fn makes_table(head: &[u8]) -> bool {
    let Some(name) = behind(head, b"CREATE TABLE ") else {
        return behind(head, b"CREATE VIRTUAL TABLE ").is_some();
    };
    // The dump's own: SQLite's tables, and the one through which long values may go.
    let helper = behind(name, b"partway_value")
        .is_some_and(|rest| !rest.first().is_some_and(|byte| is_of_name(*byte)));
    behind(name, b"IF NOT EXISTS ").is_none() && !helper
}

/// Whether a statement fills one of the user's tables.
fn fills_table(head: &[u8]) -> bool {
    behind(head, b"INSERT INTO \"").is_some_and(|name| behind(name, b"sqlite_").is_none())
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// What follows on some words, however they are spelled.
fn behind<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_at_checked(words.len())?;
    first.eq_ignore_ascii_case(words).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- partway:begin sql 1\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\n\
        INSERT INTO \"t\" VALUES\n(1),\n('it''s;\n-- partway:end tables=9 rows=9\n');\n\
        CREATE TABLE IF NOT EXISTS sqlite_stat1(tbl,idx,stat);\n\
        INSERT INTO \"SQLite_stat1\" VALUES('t',NULL,'2');\n\
        CREATE TABLE partway_value(v);\nINSERT INTO partway_value VALUES(1);\n\
        CREATE TABLE partway_values(v);\nINSERT INTO \"partway_values\"(\"v\") VALUES(1);\n\
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
