//! When a statement is complete: the state machine of `sqlite3_complete`, and the words that drive it.

/// How far a statement has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none yet.
    #[default]
    Start,
    /// Within one that the next semicolon ends.
    Normal,
    /// Behind EXPLAIN, and what may stand between that and CREATE.
    Explain,
    /// Behind CREATE, and perhaps TEMP.
    Create,
    /// Within a trigger.
    Trigger,
    /// Behind a semicolon in one.
    Semicolon,
    /// Behind an END that follows on that: the next semicolon ends the trigger.
    End,
}

/// What the machine tells apart; space and comments are nothing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Semicolon,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

impl State {
    /// The state behind a token.
    pub fn after(self, token: Token) -> Self {
        match (self, token) {
            (Self::Trigger | Self::Semicolon, Token::Semicolon) => Self::Semicolon,
            (_, Token::Semicolon) => Self::Start,
            (Self::Start, Token::Explain) => Self::Explain,
            (Self::Start | Self::Explain, Token::Create) => Self::Create,
            (Self::Explain, Token::Other) => Self::Explain,
            (Self::Create, Token::Temp) => Self::Create,
            (Self::Create, Token::Trigger) => Self::Trigger,
            (Self::Semicolon, Token::End) => Self::End,
            (Self::Trigger | Self::Semicolon | Self::End, _) => Self::Trigger,
            (Self::Start | Self::Normal | Self::Explain | Self::Create, _) => Self::Normal,
        }
    }
}

/// A word that comes in pieces, as far as it may be a keyword.
#[derive(Debug, Default)]
pub struct Word {
    bytes: [u8; 10],
    length: usize,
}

impl Word {
    /// Takes more of it.
    pub fn push(&mut self, bytes: &[u8]) {
        let (from, most) = (self.length, self.bytes.len());
        let fresh = &bytes[..bytes.len().min(most - from)];
        self.bytes[from..from + fresh.len()].copy_from_slice(fresh);
        self.bytes[from..].make_ascii_lowercase();
        self.length += fresh.len();
    }

    /// It in lower case, or the beginning of one that is longer than any keyword here.
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// What it is to the machine.
    pub fn token(&self) -> Token {
        match self.text() {
            b"create" => Token::Create,
            b"trigger" => Token::Trigger,
            b"temp" | b"temporary" => Token::Temp,
            b"end" => Token::End,
            b"explain" => Token::Explain,
            _ => Token::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_keywords_however_they_come_and_are_spelled() {
        for (word, token) in [
            ("Create", Token::Create),
            ("TRIGGER", Token::Trigger),
            ("temp", Token::Temp),
            ("tempORARY", Token::Temp),
            ("end", Token::End),
            ("EXPLAIN", Token::Explain),
            ("temporary1", Token::Other),
            ("temporary12", Token::Other),
            ("creat", Token::Other),
            ("ending", Token::Other),
        ] {
            for cut in 0..=word.len() {
                let mut pieces = Word::default();
                pieces.push(&word.as_bytes()[..cut]);
                pieces.push(&word.as_bytes()[cut..]);
                assert_eq!(pieces.token(), token, "{word}");
            }
        }
    }

    #[test]
    fn a_trigger_ends_behind_its_end() {
        use Token::{Create, End, Explain, Other, Semicolon, Temp, Trigger};
        for (tokens, state) in [
            (&[Other, Semicolon][..], State::Start),
            (&[Create, Other, Semicolon], State::Start),
            (&[Create, Other, Trigger, Semicolon], State::Start),
            (&[Create, Trigger, Other, Semicolon], State::Semicolon),
            (&[Create, Temp, Trigger, Other, Semicolon, End], State::End),
            (&[Create, Trigger, Other, Semicolon, Semicolon, End, Semicolon], State::Start),
            (&[Create, Trigger, Other, End, Semicolon], State::Semicolon),
            (&[Create, Trigger, Other, Semicolon, End, Other, Semicolon], State::Semicolon),
            (&[Explain, Other, Other, Create, Trigger, Semicolon], State::Semicolon),
            (&[Explain, Explain, Create, Trigger, Semicolon], State::Start),
            (&[Temp, Create, Trigger, Semicolon], State::Start),
        ] {
            let reached = tokens.iter().fold(State::Start, |state, token| state.after(*token));
            assert_eq!(reached, state, "{tokens:?}");
        }
    }
}
