//! Schema text, and how to get it through the stock `sqlite3` program unchanged.
//!
//! The program reads a script line by line. It drops one carriage return before a line's end: of two, one is
//! left. It takes a line that holds only `/` or `go` for a semicolon. And SQLite itself keeps a comment after
//! an index's definition, together with what has to end it. Such text can't be run as it is.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Text with one more carriage return before each line's end that has one.
pub(super) fn with_returns_doubled(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.windows(2).any(|pair| pair == b"\r\n") {
        return Cow::Borrowed(text);
    }
    let mut doubled = Vec::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line {
            [start @ .., b'\r', b'\n'] => {
                doubled.extend_from_slice(start);
                doubled.extend_from_slice(b"\r\r\n");
            }
            line => doubled.extend_from_slice(line),
        }
    }
    Cow::Owned(doubled)
}

/// Whether the program, given the text and a semicolon, stores exactly this text.
pub(super) fn survives(sql: &[u8]) -> bool {
    let is_open = pieces(sql).any(|piece| piece.is_open);
    !is_open && !sql.split(|byte| *byte == b'\n').any(may_end_statement)
}

/// The end of a comment that is still open at the end of SQL, and would swallow the text after it.
pub(super) fn open_comment(sql: &[u8]) -> &'static [u8] {
    match pieces(sql).last() {
        Some(Piece { kind: Kind::Comment, is_open: true, text }) if text.starts_with(b"--") => {
            b"\n"
        }
        Some(Piece { kind: Kind::Comment, is_open: true, .. }) => b"*/",
        _ => b"",
    }
}

/// Whether the program may take a line for a semicolon. Errs on the side of more lines, which costs little.
fn may_end_statement(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    match line {
        [b'/', rest @ ..] => rest.first() != Some(&b'*'),
        [b'g' | b'G', b'o' | b'O', rest @ ..] => {
            !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        }
        _ => false,
    }
}

/// Text with the same meaning, where each white space and comment is one blank.
pub(super) fn one_line(sql: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(sql.len());
    for piece in pieces(sql) {
        match piece.kind {
            Kind::Quoted => line.extend_from_slice(piece.text),
            Kind::Space | Kind::Comment => line.push(b' '),
            Kind::Code => line.extend_from_slice(piece.text),
        }
    }
    line
}

/// Whether SQL has a word outside of quotes and comments.
pub(super) fn has_word(sql: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let code = pieces(sql).map(|piece| match piece.kind {
        Kind::Code => piece.text.first().copied().unwrap_or(b' '),
        Kind::Space | Kind::Quoted | Kind::Comment => b' ',
    });
    let code: Vec<u8> = code.collect();
    code.split(|byte| !is_part(byte)).any(|found| found.eq_ignore_ascii_case(word))
}

/// What a piece of SQL is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Names, numbers, operators.
    Code,
    /// White space.
    Space,
    /// A string or a name in quotes.
    Quoted,
    /// A comment.
    Comment,
}

struct Piece<'a> {
    kind: Kind,
    text: &'a [u8],
    /// Its end is missing: text after it would belong to it.
    is_open: bool,
}

/// SQL, in pieces. A comment up to the end of the text is open even if it ends with the line.
fn pieces(sql: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = sql;
    core::iter::from_fn(move || {
        let first = *rest.first()?;
        // A comment's two opening bytes can't be part of its end: `/*/` is still open.
        let (kind, opening, end): (_, _, &[u8]) = match (first, rest.get(1)) {
            (b'-', Some(b'-')) => (Kind::Comment, 2, b"\n"),
            (b'/', Some(b'*')) => (Kind::Comment, 2, b"*/"),
            (b'\'' | b'"' | b'`', _) => (Kind::Quoted, 1, &rest[..1]),
            (b'[', _) => (Kind::Quoted, 1, b"]"),
            (b' ' | b'\t' | b'\n' | b'\x0c' | b'\r', _) => (Kind::Space, 1, b""),
            _ => (Kind::Code, 1, b""),
        };
        let after = &rest[opening..];
        let (length, is_open) = match end {
            b"" => (opening, false),
            _ => match after.windows(end.len()).position(|window| window == end) {
                Some(at) => (opening + at + end.len(), false),
                None => (rest.len(), true),
            },
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Piece { kind, text, is_open })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_that_the_program_would_change_is_told_apart() {
        for (sql, kept) in [
            ("CREATE VIEW v AS SELECT 1", true),
            ("CREATE VIEW v AS SELECT 1 -- one", false),
            ("CREATE VIEW v AS SELECT 1 -- one\n", true),
            ("CREATE VIEW v AS SELECT 1 /* one", false),
            ("CREATE VIEW v AS SELECT 1 /*/", false),
            ("CREATE VIEW v AS SELECT 1 /* one */", true),
            ("CREATE VIEW v AS SELECT '--'", true),
            ("CREATE VIEW v AS SELECT 'it''s --'", true),
            ("CREATE VIEW [v--] AS SELECT \"/*\"", true),
            ("CREATE VIEW v AS SELECT '/*' -- x", false),
            ("CREATE TABLE t (a,\r\n b)", true),
            ("CREATE VIEW v AS SELECT 4\n/\n2", false),
            ("CREATE VIEW v AS SELECT 4\n / -- x\n2", false),
            ("CREATE VIEW v AS SELECT 4\n/* x */ / 2", true),
            ("CREATE TABLE t (a\nGO\n)", false),
            ("CREATE TABLE t (a\ngold)", true),
        ] {
            assert_eq!(survives(sql.as_bytes()), kept, "{sql}");
        }
    }

    #[test]
    fn a_word_is_one_outside_of_quotes_and_comments() {
        for (sql, found) in [
            ("CREATE TABLE t (a INTEGER PRIMARY KEY autoincrement)", true),
            ("CREATE TABLE t (a INTEGER PRIMARY KEY/**/AUTOINCREMENT,b)", true),
            ("CREATE TABLE t (a, \"AUTOINCREMENT\", [AUTOINCREMENT])", false),
            ("CREATE TABLE t (a -- AUTOINCREMENT\n, b /* AUTOINCREMENT */)", false),
            ("CREATE TABLE t (autoincremented, xautoincrement, é_autoincrement)", false),
        ] {
            assert_eq!(has_word(sql.as_bytes(), b"AUTOINCREMENT"), found, "{sql}");
        }
    }

    #[test]
    fn the_program_drops_one_return_of_two() {
        for (text, doubled) in
            [("a\r\nb\r\r\nc\rd\n\r", "a\r\r\nb\r\r\r\nc\rd\n\r"), ("a\nb\r", "a\nb\r")]
        {
            assert_eq!(*with_returns_doubled(text.as_bytes()), *doubled.as_bytes());
        }
    }

    #[test]
    fn one_line_keeps_quotes_and_drops_comments() {
        for (sql, line) in [
            ("CREATE VIEW v AS SELECT 4\n/\n2 -- x", "CREATE VIEW v AS SELECT 4 / 2  "),
            ("CREATE TABLE [a\nb] (\"c\r\nd\" /* e */)", "CREATE TABLE [a\nb] (\"c\r\nd\"  )"),
            ("SELECT '--', 'it''s' -- it's", "SELECT '--', 'it''s'  "),
        ] {
            assert_eq!(String::from_utf8(one_line(sql.as_bytes())).unwrap(), line);
        }
    }
}
