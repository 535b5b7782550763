//! Splitting a dump into statements and comments, over bytes that come in chunks.
//!
//! The rules are those of `sqlite3_complete`: a statement ends at a semicolon outside quotes and comments, a
//! `CREATE TRIGGER` at the semicolon after its `END`. Only the beginning of a statement is kept in memory.

use alloc::vec::Vec;

use memchr::memchr;

use crate::completeness::{CompletenessState, Token, Word};

/// How many of a statement's or comment's first bytes are kept.
const MAX_HEAD: usize = 320;

/// What ends where the splitter stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A line comment between statements, with its line end.
    Comment(Span),
    /// A statement, with its semicolon.
    Statement(Span),
}

/// Where a statement or comment is, and how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The offset of its first byte in the dump.
    pub start: u64,
    /// The offset after its last byte.
    pub end: u64,
    /// Its first bytes, at most 320.
    pub head: Vec<u8>,
    /// The rows after the VALUES of an INSERT.
    pub rows: u64,
}

/// What the dump ends within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing: a statement or comment has just ended.
    Nothing,
    /// A comment, with its first bytes.
    Comment(Vec<u8>),
    /// A statement that begins at this offset.
    Statement(u64),
}

/// Splits a dump into statements and comments.
#[derive(Debug, Default)]
pub struct StatementSplitter {
    mode: Mode,
    state: CompletenessState,
    /// How many bytes were taken before this chunk.
    offset: u64,
    /// Where the current statement or comment began.
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
    /// A `/` that may begin a comment.
    Slash,
    /// Inside quotes that this byte ends. A doubled quote ends them and begins them again, which comes to the
    /// same.
    Quotes(u8),
    LineComment,
    BlockComment,
    /// A `*` in a block comment.
    Star,
}

/// Bytes that words are made of.
const WORD: u8 = 1;
/// Bytes that matter even where words don't.
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

impl StatementSplitter {
    /// Takes bytes up to the end of a statement or comment, or all of them. Returns how many it took, and
    /// what ended.
    pub fn next(&mut self, bytes: &[u8]) -> (usize, Option<Segment>) {
        let mut at = 0;
        let mut ended = None;
        while at < bytes.len() && ended.is_none() {
            match self.mode {
                Mode::Text => (at, ended) = self.text(bytes, at),
                Mode::Word => at = self.word(bytes, at),
                Mode::Dash | Mode::Slash => at = self.maybe_comment(bytes, at),
                Mode::Quotes(quote) => at = self.take_to(bytes, at, quote, Mode::Text),
                Mode::LineComment => {
                    at = self.take_to(bytes, at, b'\n', Mode::Text);
                    // Within a statement a comment is no more than space.
                    if self.mode == Mode::Text && self.state == CompletenessState::Start {
                        ended = Some(Ended::Comment);
                    }
                }
                Mode::BlockComment => at = self.take_to(bytes, at, b'*', Mode::Star),
                Mode::Star => {
                    self.mode = match bytes[at] {
                        b'/' => Mode::Text,
                        b'*' => Mode::Star,
                        _ => Mode::BlockComment,
                    };
                    at += 1;
                }
            }
        }
        self.keep_head(&bytes[..at]);
        self.offset += at as u64;
        (at, ended.and_then(|ended| self.segment(ended)))
    }

    /// Takes bytes up to and with `last`, after which the mode is `next`; all if there is none.
    fn take_to(&mut self, bytes: &[u8], at: usize, last: u8, next: Mode) -> usize {
        match memchr(last, &bytes[at..]) {
            Some(length) => {
                self.mode = next;
                at + length + 1
            }
            None => bytes.len(),
        }
    }

    /// Takes text up to the next byte that matters, with it unless it begins a word.
    fn text(&mut self, bytes: &[u8], at: usize) -> (usize, Option<Ended>) {
        let at = at + self.skip(&bytes[at..]);
        let Some(byte) = bytes.get(at) else { return (at, None) };
        let ended = self.significant_byte(*byte, self.offset + at as u64);
        (at + usize::from(self.mode != Mode::Word), ended)
    }

    /// Takes the bytes of a word.
    fn word(&mut self, bytes: &[u8], at: usize) -> usize {
        let rest = &bytes[at..];
        let length = rest.iter().take_while(|byte| is(**byte, WORD)).count();
        self.word.push(&rest[..length]);
        if length < rest.len() {
            self.mode = Mode::Text;
            self.end_word();
        }
        at + length
    }

    /// Looks at the byte after a `-` or `/`, and takes it if it begins a comment.
    fn maybe_comment(&mut self, bytes: &[u8], at: usize) -> usize {
        match (self.mode, bytes[at]) {
            (Mode::Dash, b'-') => {
                self.mode = Mode::LineComment;
                if self.state == CompletenessState::Start {
                    self.begin(self.offset + at as u64 - 1, b'-', at == 0);
                }
                at + 1
            }
            (Mode::Slash, b'*') => {
                self.mode = Mode::BlockComment;
                at + 1
            }
            (mode, _) => {
                let first = if mode == Mode::Dash { b'-' } else { b'/' };
                self.begin(self.offset + at as u64 - 1, first, at == 0);
                self.mode = Mode::Text;
                self.token(Token::Other);
                at
            }
        }
    }

    /// What has begun and not ended.
    pub fn unfinished(&self) -> Remainder {
        match (self.start, self.state) {
            (Some(_), CompletenessState::Start) if self.mode == Mode::LineComment => {
                Remainder::Comment(self.head.clone())
            }
            (Some(start), _) => Remainder::Statement(start),
            (None, _) if matches!(self.mode, Mode::Dash | Mode::Slash) => {
                Remainder::Comment(Vec::new())
            }
            (None, _) if matches!(self.mode, Mode::BlockComment | Mode::Star) => {
                Remainder::Comment(Vec::new())
            }
            (None, _) => Remainder::Nothing,
        }
    }

    /// How many bytes don't matter in this state.
    fn skip(&self, bytes: &[u8]) -> usize {
        let class = match self.state {
            // Words in a row, or outside a trigger, don't matter.
            CompletenessState::Normal if !self.is_insert || self.depth > 0 => MARK,
            CompletenessState::Normal | CompletenessState::Trigger => MARK | WORD,
            // Any byte but space may change the state.
            CompletenessState::Start
            | CompletenessState::Explain
            | CompletenessState::Create
            | CompletenessState::Semicolon
            | CompletenessState::End => {
                return bytes.iter().position(|byte| !is(*byte, SPACE)).unwrap_or(bytes.len());
            }
        };
        bytes.iter().position(|byte| is(*byte, class)).unwrap_or(bytes.len())
    }

    /// Acts on a byte that matters. Of a word this is its first byte, which is not taken yet.
    fn significant_byte(&mut self, byte: u8, at: u64) -> Option<Ended> {
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
        if self.state == CompletenessState::Start {
            self.is_insert = word == b"insert";
        } else if self.is_insert && self.depth == 0 {
            // After VALUES, parentheses that follow another word are no rows.
            self.in_values = word == b"values";
        }
        let token = self.word.token();
        self.token(token);
    }

    fn token(&mut self, token: Token) -> Option<Ended> {
        let before = self.state;
        self.state = before.after(token);
        // A lone semicolon is no statement.
        (self.state == CompletenessState::Start && before != CompletenessState::Start)
            .then_some(Ended::Statement)
    }

    /// Begins a statement or comment, unless one has begun. `was_taken`: its first byte was the last of the
    /// chunk before.
    fn begin(&mut self, at: u64, byte: u8, was_taken: bool) {
        if self.start.is_none() {
            self.start = Some(at);
            if was_taken {
                self.head.push(byte);
            }
        }
    }

    /// Keeps the first bytes of the statement or comment, from bytes that were just taken.
    fn keep_head(&mut self, bytes: &[u8]) {
        if let Some(start) = self.start
            && self.head.len() < MAX_HEAD
        {
            let from = usize::try_from(start.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let fresh = bytes.get(from..).unwrap_or_default();
            self.head.extend(fresh.iter().take(MAX_HEAD - self.head.len()));
        }
    }

    fn segment(&mut self, ended: Ended) -> Option<Segment> {
        let start = self.start.take()?;
        let span = Span {
            start,
            end: self.offset,
            head: core::mem::take(&mut self.head),
            rows: core::mem::take(&mut self.rows),
        };
        (self.is_insert, self.in_values, self.depth) = (false, false, 0);
        Some(match ended {
            Ended::Comment => Segment::Comment(span),
            Ended::Statement => Segment::Statement(span),
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
