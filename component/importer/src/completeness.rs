//! When a statement is complete: the state machine of `sqlite3_complete`, and the tokens that drive it.

/// The state of the machine: how far a statement has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompletenessState {
    /// No statement has begun.
    #[default]
    Start,
    /// Inside a statement that the next semicolon ends.
    Normal,
    /// After EXPLAIN, and whatever may follow it before CREATE.
    Explain,
    /// After CREATE, and perhaps TEMP.
    Create,
    /// Inside a trigger's body.
    Trigger,
    /// After a semicolon in a trigger's body.
    Semicolon,
    /// After an END that follows such a semicolon: the next semicolon ends the trigger.
    End,
}

/// What the machine distinguishes. Space and comments are no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Semicolon,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

impl CompletenessState {
    /// The state after a token.
    pub(crate) fn after(self, token: Token) -> Self {
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

/// A word that arrives in pieces. Only as many bytes are kept as the longest keyword has.
#[derive(Debug, Default)]
pub(crate) struct Word {
    bytes: [u8; 10],
    length: usize,
}

impl Word {
    /// Appends a piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (from, most) = (self.length, self.bytes.len());
        let fresh = &bytes[..bytes.len().min(most - from)];
        self.bytes[from..from + fresh.len()].copy_from_slice(fresh);
        self.bytes[from..].make_ascii_lowercase();
        self.length += fresh.len();
    }

    /// The word in lower case; of one longer than any keyword only its beginning.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The token that the word is.
    pub(crate) fn token(&self) -> Token {
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
            (&[Other, Semicolon][..], CompletenessState::Start),
            (&[Create, Other, Semicolon], CompletenessState::Start),
            (&[Create, Other, Trigger, Semicolon], CompletenessState::Start),
            (&[Create, Trigger, Other, Semicolon], CompletenessState::Semicolon),
            (&[Create, Temp, Trigger, Other, Semicolon, End], CompletenessState::End),
            (
                &[Create, Trigger, Other, Semicolon, Semicolon, End, Semicolon],
                CompletenessState::Start,
            ),
            (&[Create, Trigger, Other, End, Semicolon], CompletenessState::Semicolon),
            (
                &[Create, Trigger, Other, Semicolon, End, Other, Semicolon],
                CompletenessState::Semicolon,
            ),
            (&[Explain, Other, Other, Create, Trigger, Semicolon], CompletenessState::Semicolon),
            (&[Explain, Explain, Create, Trigger, Semicolon], CompletenessState::Start),
            (&[Temp, Create, Trigger, Semicolon], CompletenessState::Start),
        ] {
            let reached =
                tokens.iter().fold(CompletenessState::Start, |state, token| state.after(*token));
            assert_eq!(reached, state, "{tokens:?}");
        }
    }
}
