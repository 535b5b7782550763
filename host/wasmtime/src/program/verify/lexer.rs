//! Where the statements and comments of a dump begin and end, over bytes that come in chunks.
//!
//! The rules are those of `sqlite3_complete`: a statement ends at a semicolon outside quotes and comments, a
//! `CREATE TRIGGER` at the one behind `END`. Nothing is held but the beginning of the statement.

use memchr::memchr;

/// How much of a statement's or comment's beginning is kept.
const HEAD: usize = 320;

/// What ends at the end of the bytes that were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A comment of one line between statements, with its end of line.
    Comment(Piece),
    /// A statement, with its semicolon.
    Statement(Piece),
}

/// A piece of the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins: a number of bytes.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Its first bytes.
    pub head: Vec<u8>,
    /// The rows that stand behind the VALUES of an INSERT.
    pub rows: u64,
}

/// What the bytes end within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: a statement or comment has just ended.
    Nothing,
    /// A comment.
    Comment(Vec<u8>),
    /// A statement, which begins at this byte.
    Statement(u64),
}

/// Finds statements and comments.
#[derive(Debug, Default)]
pub struct Lexer {
    mode: Mode,
    state: State,
    /// How many bytes were taken.
    offset: u64,
    /// Where the statement or comment begun began.
    start: Option<u64>,
    head: Vec<u8>,
    word: Word,
    /// The statement is an INSERT.
    is_insert: bool,
    /// Its VALUES have begun.
    in_values: bool,
    depth: u64,
    rows: u64,
}

/// What the last byte was part of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Text,
    Word,
    /// A `-` that may begin a comment.
    Dash,
    /// A `/` that may.
    Slash,
    /// Quotes that this byte ends. A doubled one ends them and begins them again, which is the same.
    Quotes(u8),
    LineComment,
    BlockComment,
    /// A `*` in one.
    Star,
}

/// How far a statement has come, as in `sqlite3_complete`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    Semicolon,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Semicolon,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

/// The beginning of a word; a longer one is no keyword.
#[derive(Debug, Default)]
struct Word {
    bytes: [u8; 10],
    length: usize,
}

impl Word {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(self.bytes.len().saturating_sub(self.length)) {
            self.bytes[self.length] = byte.to_ascii_lowercase();
            self.length += 1;
        }
        // So that a word which only begins like a keyword is none.
        if self.length == self.bytes.len() {
            self.bytes[0] = 0;
        }
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Bytes that words are made of.
const WORD: u8 = 1;
/// Bytes that mean something even where words mean nothing.
const MARK: u8 = 2;
const SPACE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => WORD,
            b'\'' | b'"' | b'`' | b'[' | b'(' | b')' | b'-' | b'/' | b';' => MARK,
            b' ' | b'\t' | b'\r' | b'\n' | 0x0c => SPACE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

impl Lexer {
    /// Takes bytes up to the end of a statement or comment, or all. Says how many it took.
    pub fn next(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let mut at = 0;
        let mut ended = None;
        while at < bytes.len() && ended.is_none() {
            let byte = bytes[at];
            let rest = &bytes[at..];
            match self.mode {
                Mode::Text => {
                    at += self.skip(rest);
                    if let Some(byte) = bytes.get(at) {
                        ended = self.text(*byte, self.offset + at as u64);
                        at += usize::from(self.mode != Mode::Word);
                    }
                }
                Mode::Word => {
                    let length = rest.iter().take_while(|byte| is(**byte, WORD)).count();
                    self.word.push(&rest[..length]);
                    at += length;
                    if at < bytes.len() {
                        self.mode = Mode::Text;
                        self.end_word();
                    }
                }
                Mode::Quotes(quote) => match memchr(quote, rest) {
                    Some(length) => {
                        at += length + 1;
                        self.mode = Mode::Text;
                    }
                    None => at = bytes.len(),
                },
                Mode::Dash if byte == b'-' => {
                    self.mode = Mode::LineComment;
                    if self.state == State::Start {
                        self.begin(self.offset + at as u64 - 1, b'-', at == 0);
                    }
                    at += 1;
                }
                Mode::Slash if byte == b'*' => {
                    self.mode = Mode::BlockComment;
                    at += 1;
                }
                Mode::Dash | Mode::Slash => {
                    let first = if self.mode == Mode::Dash { b'-' } else { b'/' };
                    self.begin(self.offset + at as u64 - 1, first, at == 0);
                    self.mode = Mode::Text;
                    self.token(Token::Other);
                }
                Mode::LineComment => match memchr(b'\n', rest) {
                    Some(length) => {
                        at += length + 1;
                        self.mode = Mode::Text;
                        // Within a statement it is nothing but space.
                        if self.state == State::Start {
                            ended = Some(Ended::Comment);
                        }
                    }
                    None => at = bytes.len(),
                },
                Mode::BlockComment => match memchr(b'*', rest) {
                    Some(length) => {
                        at += length + 1;
                        self.mode = Mode::Star;
                    }
                    None => at = bytes.len(),
                },
                Mode::Star => {
                    self.mode = match byte {
                        b'/' => Mode::Text,
                        b'*' => Mode::Star,
                        _ => Mode::BlockComment,
                    };
                    at += 1;
                }
            }
        }
        self.keep(&bytes[..at]);
        self.offset += at as u64;
        (at, ended.and_then(|ended| self.event(ended)))
    }

    /// What is not ended yet.
    pub fn rest(&self) -> Rest {
        match (self.start, self.state) {
            (Some(_), State::Start) if self.mode == Mode::LineComment => {
                Rest::Comment(self.head.clone())
            }
            (Some(start), _) => Rest::Statement(start),
            (None, _) if matches!(self.mode, Mode::Dash | Mode::Slash) => Rest::Comment(Vec::new()),
            (None, _) if matches!(self.mode, Mode::BlockComment | Mode::Star) => {
                Rest::Comment(Vec::new())
            }
            (None, _) => Rest::Nothing,
        }
    }

    /// How many bytes mean nothing here.
    fn skip(&self, bytes: &[u8]) -> usize {
        let class = match self.state {
            // What words there are in a row, or in what is no trigger, does not matter.
            State::Normal if !self.is_insert || self.depth > 0 => MARK,
            State::Normal | State::Trigger => MARK | WORD,
            // All but space may change the state.
            State::Start | State::Explain | State::Create | State::Semicolon | State::End => {
                return bytes.iter().position(|byte| !is(*byte, SPACE)).unwrap_or(bytes.len());
            }
        };
        bytes.iter().position(|byte| is(*byte, class)).unwrap_or(bytes.len())
    }

    /// A byte that may mean something; a word's is only looked at.
    fn text(&mut self, byte: u8, at: u64) -> Option<Ended> {
        self.mode = match byte {
            b'-' => Mode::Dash,
            b'/' => Mode::Slash,
            b'\'' | b'"' | b'`' => Mode::Quotes(byte),
            b'[' => Mode::Quotes(b']'),
            byte if is(byte, WORD) => Mode::Word,
            _ => Mode::Text,
        };
        match byte {
            b'-' | b'/' => return None,
            b';' => return self.token(Token::Semicolon),
            b'(' => {
                self.rows += u64::from(self.in_values && self.depth == 0);
                self.depth += 1;
            }
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.begin(at, byte, false);
        if self.mode == Mode::Word {
            self.word.length = 0;
            return None;
        }
        self.token(Token::Other)
    }

    fn end_word(&mut self) {
        let token = match self.word.text() {
            b"create" => Token::Create,
            b"trigger" => Token::Trigger,
            b"temp" | b"temporary" => Token::Temp,
            b"end" => Token::End,
            b"explain" => Token::Explain,
            b"insert" if self.state == State::Start => {
                self.is_insert = true;
                Token::Other
            }
            word => {
                // What else stands between VALUES and the end is no row.
                if self.is_insert && self.depth == 0 {
                    self.in_values = word == b"values";
                }
                Token::Other
            }
        };
        self.token(token);
    }

    fn token(&mut self, token: Token) -> Option<Ended> {
        use State::{Create, End, Explain, Normal, Semicolon, Start, Trigger};
        let before = self.state;
        self.state = match (before, token) {
            (Trigger | Semicolon, Token::Semicolon) => Semicolon,
            (_, Token::Semicolon) => Start,
            (Start, Token::Explain) => Explain,
            (Start | Explain, Token::Create) => Create,
            (Explain, Token::Other) => Explain,
            (Create, Token::Temp) => Create,
            (Create, Token::Trigger) => Trigger,
            (Semicolon, Token::End) => End,
            (Trigger | Semicolon | End, _) => Trigger,
            (Start | Normal | Explain | Create, _) => Normal,
        };
        // A semicolon alone is no statement.
        (self.state == Start && before != Start).then_some(Ended::Statement)
    }

    /// Begins a statement or comment, unless one has begun; its first byte may have gone by with the last chunk.
    fn begin(&mut self, at: u64, byte: u8, has_gone_by: bool) {
        if self.start.is_none() {
            self.start = Some(at);
            if has_gone_by {
                self.head.push(byte);
            }
        }
    }

    /// Keeps the head, from bytes that were just taken.
    fn keep(&mut self, bytes: &[u8]) {
        if let Some(start) = self.start
            && self.head.len() < HEAD
        {
            let from = usize::try_from(start.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let fresh = bytes.get(from..).unwrap_or_default();
            self.head.extend(fresh.iter().take(HEAD - self.head.len()));
        }
    }

    fn event(&mut self, ended: Ended) -> Option<Event> {
        let start = self.start.take()?;
        let piece = Piece {
            start,
            end: self.offset,
            head: std::mem::take(&mut self.head),
            rows: std::mem::take(&mut self.rows),
        };
        (self.is_insert, self.in_values, self.depth) = (false, false, 0);
        Some(match ended {
            Ended::Comment => Event::Comment(piece),
            Ended::Statement => Event::Statement(piece),
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    Comment,
    Statement,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is found in a text that comes in chunks of these lengths.
    fn lex(text: &[u8], lengths: &[usize]) -> (Vec<(String, u64)>, Rest) {
        let mut lexer = Lexer::default();
        let mut found = Vec::new();
        let mut begin = 0;
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        for end in ends.chain([text.len()]) {
            while begin < end {
                let (taken, event) = lexer.next(&text[begin..end]);
                begin += taken;
                let (piece, rows) = match event {
                    None => continue,
                    Some(Event::Comment(piece)) => (piece, COMMENT),
                    Some(Event::Statement(piece)) => (piece.clone(), piece.rows),
                };
                let whole = &text[piece.start as usize..piece.end as usize];
                assert_eq!(piece.end as usize, begin);
                assert!(
                    whole.starts_with(&piece.head) && piece.head.len() == whole.len().min(HEAD)
                );
                found.push((String::from_utf8_lossy(whole).into_owned(), rows));
            }
        }
        (found, lexer.rest())
    }

    const COMMENT: u64 = u64::MAX;

    /// Each piece of a tricky text, and its rows.
    const TRICKY: &[(&str, u64)] = &[
        ("-- partway:begin sql 1\n", COMMENT),
        ("PRAGMA foreign_keys=OFF;", 0),
        ("CREATE TABLE t (a DEFAULT ';', \"b;\"\"\" /* ; ' */, [c;'], `d;` -- it's; (\n);", 0),
        (
            "INSERT INTO \"t\"(\"a\",\"values (\") VALUES\n(1,'it''s; (',-2),\n(-3,'\n-- partway:end tables=0 rows=0\n',X'00'),(((4)),5/6,7-8);",
            3,
        ),
        ("INSERT INTO \"v\" VALUES(CAST((SELECT '(') AS TEXT)) , /* (,) */ (2) -- (\n;", 2),
        ("insert into \"w\" select * from (values (1), (2));", 0),
        ("INSERT INTO w(a) VALUES (1) ON CONFLICT (a) DO NOTHING;", 1),
        ("UPDATE t SET a = (1), b = (2) WHERE c IN (VALUES (1));", 0),
        (
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 'END;'; UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; /* ; */ END -- ;\n;",
            0,
        ),
        ("CREATE TEMPORARY TRIGGER \"end\" BEFORE DELETE ON t BEGIN SELECT 1; ; end;", 0),
        ("EXPLAIN CREATE TEMP TRIGGER g DELETE ON t BEGIN SELECT 1; SELECT 2; END;", 0),
        ("CREATE VIEW trigger_view AS SELECT 1;", 0),
        ("CREATE TABLE createtriggers (x);", 0),
        ("/* a\n**/ \"x\";", 0),
        ("- 1 / 2;", 0),
        ("-;", 0),
        ("/;", 0),
        ("--\n", COMMENT),
        ("COMMIT;", 0),
        ("-- partway:end tables=1 rows=2\n", COMMENT),
    ];

    fn tricky() -> (String, Vec<(String, u64)>) {
        let text =
            TRICKY.iter().map(|(piece, _)| *piece).collect::<Vec<_>>().join("\n ;\r\n/*/,;*/\t");
        // A block comment between statements is space.
        let expected = TRICKY.iter().map(|(piece, rows)| {
            (piece.strip_prefix("/* a\n**/ ").unwrap_or(piece).to_string(), *rows)
        });
        (text.clone(), expected.collect())
    }

    #[test]
    fn statements_and_comments_are_found() {
        let (text, expected) = tricky();
        assert_eq!(lex(text.as_bytes(), &[]), (expected, Rest::Nothing));
    }

    #[test]
    fn no_chunk_boundary_matters() {
        let (text, expected) = tricky();
        for first in 0..text.len() {
            let (found, rest) = lex(text.as_bytes(), &[first]);
            assert_eq!((&found, rest), (&expected, Rest::Nothing), "{first}");
        }
        for length in 1..40 {
            let lengths = vec![length; text.len() / length];
            let (found, rest) = lex(text.as_bytes(), &lengths);
            assert_eq!((&found, rest), (&expected, Rest::Nothing), "{length}");
        }
    }

    #[test]
    fn what_is_cut_off_is_told_wherever_it_is_cut() {
        let (text, expected) = tricky();
        let mut from = 0;
        let pieces: Vec<_> = expected
            .iter()
            .map(|(piece, _)| {
                let start = from + text[from..].find(piece.as_str()).unwrap();
                from = start + piece.len();
                start..from
            })
            .collect();
        for end in 0..text.len() {
            let (found, rest) = lex(&text.as_bytes()[..end], &[]);
            let whole = pieces.iter().take_while(|piece| piece.end <= end).count();
            assert_eq!(found, expected[..whole], "{end}");
            if pieces[whole].start < end {
                assert_ne!(rest, Rest::Nothing, "{end}");
            }
        }
        for (text, rest) in [
            ("", Rest::Nothing),
            ("SELECT 1;\n", Rest::Nothing),
            ("SELECT 1; SELECT '", Rest::Statement(10)),
            ("SELECT 1; -- partway:e", Rest::Comment(b"-- partway:e".to_vec())),
            ("SELECT 1 -- partway:e\n", Rest::Statement(0)),
            ("CREATE TRIGGER g BEGIN SELECT 1; END", Rest::Statement(0)),
            ("CREATE TRIGGER g BEGIN SELECT 1;", Rest::Statement(0)),
            ("; /* ", Rest::Comment(Vec::new())),
            ("a", Rest::Statement(0)),
        ] {
            assert_eq!(lex(text.as_bytes(), &[]).1, rest, "{text}");
        }
    }

    #[test]
    fn only_the_beginning_is_kept() {
        let text = format!("SELECT '{}';", "long ".repeat(1000));
        for lengths in [&[][..], &[1, 2, 3], &[HEAD - 1, 1, 1], &[4000]] {
            // What is kept is compared there.
            assert_eq!(lex(text.as_bytes(), lengths).0, [(text.clone(), 0)]);
        }
    }

    /// SQLite's own word on where a statement ends.
    #[test]
    fn sqlite_agrees_on_every_statement() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a, b)").unwrap();
        let text = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT ';'; SELECT CASE 1 WHEN 1 THEN 2 END; END;
            INSERT INTO \"t\" VALUES(1,(SELECT 2)),('(',3);\nCREATE VIEW [v;] AS SELECT 1 AS \"a;\"\"b\";";
        for (statement, rows) in lex(text.as_bytes(), &[]).0 {
            let before: u64 = connection.total_changes();
            connection.execute_batch(&statement).unwrap();
            assert_eq!(connection.total_changes() - before, rows, "{statement}");
        }
        assert!(connection.prepare("SELECT \"a;\"\"b\" FROM [v;]").is_ok());
    }
}
