//! SQL as tokens, split as SQLite splits it.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, or a name without quotes.
    Word,
    /// A name in `"…"`, `` `…` `` or `[…]`, which SQLite may also take for a string.
    QuotedName,
    /// A string, which SQLite may also take for a name.
    String,
    /// A number or a blob.
    Number,
    /// Anything else: one byte.
    Sign,
}

/// A token of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// As written, with its quotes.
    pub(crate) text: &'a [u8],
    /// Whether white space or a comment is before it.
    pub(crate) spaced: bool,
}

impl<'a> Token<'a> {
    /// Whether it is a keyword.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether it is a sign.
    pub(crate) fn is_sign(&self, sign: u8) -> bool {
        self.kind == Kind::Sign && self.text == [sign]
    }

    /// What it names, if it is a name or may be taken for one.
    pub(crate) fn name(&self) -> Option<Cow<'a, [u8]>> {
        let (first, inner) = match (self.kind, self.text) {
            (Kind::Word, text) => return Some(Cow::Borrowed(text)),
            (Kind::QuotedName | Kind::String, [first, inner @ .., _]) => (*first, inner),
            _ => return None,
        };
        if first == b'[' || !inner.contains(&first) {
            return Some(Cow::Borrowed(inner));
        }
        let mut name = Vec::with_capacity(inner.len());
        let mut bytes = inner.iter();
        while let Some(byte) = bytes.next() {
            name.push(*byte);
            if *byte == first {
                bytes.next();
            }
        }
        Some(Cow::Owned(name))
    }
}

/// Splits SQL into tokens, without white space and comments. None: a quote is not closed.
pub(crate) fn tokens(sql: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    let mut spaced = false;
    while let Some(first) = rest.first() {
        let (kind, length) = match (*first, rest.get(1)) {
            (b' ' | b'\t' | b'\n' | b'\x0c' | b'\r', _) => (None, 1),
            (b'-', Some(b'-')) => {
                (None, rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))
            }
            (b'/', Some(b'*')) => {
                let end = rest[2..].windows(2).position(|pair| pair == b"*/");
                (None, end.map_or(rest.len(), |at| at + 4))
            }
            (b'\'', _) => (Some(Kind::String), quoted(rest, b'\'')?),
            (quote @ (b'"' | b'`'), _) => (Some(Kind::QuotedName), quoted(rest, quote)?),
            (b'[', _) => (Some(Kind::QuotedName), rest.iter().position(|byte| *byte == b']')? + 1),
            (b'x' | b'X', Some(b'\'')) => (Some(Kind::Number), 1 + quoted(&rest[1..], b'\'')?),
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => (Some(Kind::Number), number(rest)),
            (byte, _) if is_word(byte) => (Some(Kind::Word), run(rest, is_word)),
            _ => (Some(Kind::Sign), 1),
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        match kind {
            None => spaced = true,
            Some(kind) => {
                tokens.push(Token { kind, text, spaced });
                spaced = false;
            }
        }
    }
    Some(tokens)
}

/// Tokens as text again: white space and comments are one blank each.
pub(crate) fn write(into: &mut Vec<u8>, tokens: &[Token<'_>]) {
    for (index, token) in tokens.iter().enumerate() {
        if token.spaced && index > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(token.text);
    }
}

/// SQL without its comments. The rest stays as it is.
pub(crate) fn without_comments(sql: &[u8]) -> Option<Vec<u8>> {
    // Most have none.
    if !sql.windows(2).any(|pair| pair == b"--" || pair == b"/*") {
        return Some(sql.to_vec());
    }
    let mut text = Vec::with_capacity(sql.len());
    write(&mut text, &tokens(sql)?);
    Some(text)
}

/// A name in quotes, as SQL takes it.
pub(crate) fn quoted_name(name: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(name.len() + 2);
    quoted.push(b'"');
    for byte in name {
        quoted.push(*byte);
        if *byte == b'"' {
            quoted.push(b'"');
        }
    }
    quoted.push(b'"');
    quoted
}

/// The length of what stands in these quotes, of which two are one inside.
fn quoted(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.iter().position(|byte| *byte == quote)? + 1;
        if text.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// The length of a number, with what SQLite would not take for one: then nothing depends on it.
fn number(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(byte) = text.get(length) {
        let is_sign = matches!(byte, b'+' | b'-');
        let after_exponent = length > 0 && matches!(text[length - 1], b'e' | b'E');
        let is_hexadecimal = matches!(text.get(1), Some(b'x' | b'X'));
        if !(is_word(*byte) || *byte == b'.' || is_sign && after_exponent && !is_hexadecimal) {
            break;
        }
        length += 1;
    }
    length
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn run(text: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !is_part(*byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_kind_of_quotes() {
        let sql = r#"a "b""c" [d"e] `f``g` 'h''i' x'00' 1.5e-3 0x1F "" é$1"#.as_bytes();
        let names: Vec<_> = tokens(sql).unwrap().iter().map(|token| token.name()).collect();
        let names: Vec<_> = names
            .iter()
            .map(|name| name.as_ref().map(|name| core::str::from_utf8(name).unwrap()))
            .collect();
        assert_eq!(
            names,
            [
                Some("a"),
                Some("b\"c"),
                Some("d\"e"),
                Some("f`g"),
                Some("h'i"),
                None,
                None,
                None,
                Some(""),
                Some("é$1")
            ]
        );
        for open in ["'a", "\"a\"\"", "[a", "x'00"] {
            assert_eq!(tokens(open.as_bytes()), None, "{open}");
        }
    }

    #[test]
    fn comments_go_and_quotes_stay() {
        for (sql, without) in [
            ("CREATE TABLE t (a -- one\n, b /* two */ INT /*/ three", "CREATE TABLE t (a , b INT"),
            (
                "CREATE VIEW v AS SELECT '--', \"/*\" - -1--",
                "CREATE VIEW v AS SELECT '--', \"/*\" - -1",
            ),
            ("a  b\n c", "a  b\n c"),
        ] {
            let found = without_comments(sql.as_bytes()).unwrap();
            assert_eq!(core::str::from_utf8(&found).unwrap(), without);
        }
    }
}
