//! Where the statements and comments of a dump begin and end, over bytes that come in chunks.
//!
//! The rules are those of `sqlite3_complete`: a statement ends at a semicolon outside quotes and comments, a
//! `CREATE TRIGGER` at the one behind `END`. Nothing is held but the beginning of the statement.

use memchr::memchr;

use super::complete::{State, Token, Word};

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
            self.word = Word::default();
            return None;
        }
        self.token(Token::Other)
    }

    fn end_word(&mut self) {
        let word = self.word.text();
        if self.state == State::Start {
            self.is_insert = word == b"insert";
        } else if self.is_insert && self.depth == 0 {
            // What else stands between VALUES and the end is no row.
            self.in_values = word == b"values";
        }
        let token = self.word.token();
        self.token(token);
    }

    fn token(&mut self, token: Token) -> Option<Ended> {
        let before = self.state;
        self.state = before.after(token);
        // A semicolon alone is no statement.
        (self.state == State::Start && before != State::Start).then_some(Ended::Statement)
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
mod tests;
