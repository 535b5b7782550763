//! Checks what a component returns before anyone saves or shows it.

use crate::bindings::exporter::{Error, More, Outcome, Progress, Summary};
use crate::limits::{Exceeded, Limits};

/// The most bytes of an error's text. It has gone wrong already: more is cut off, and no error of its own.
const MAX_ERROR: usize = 4096;

/// The first checkpoint, within the limits.
pub(crate) fn checkpoint(
    answer: Result<String, Error>,
    limits: &Limits,
) -> Result<Result<String, Error>, Exceeded> {
    Ok(match answer {
        Ok(checkpoint) => Ok(bounded(checkpoint, limits)?),
        Err(error) => Err(shortened(error)),
    })
}

/// The result of a slice, within the limits, and with texts that are safe to print.
pub(crate) fn outcome(
    answer: Result<Outcome, Error>,
    limits: &Limits,
) -> Result<Result<Outcome, Error>, Exceeded> {
    Ok(match answer {
        Ok(Outcome::More(More { checkpoint, progress })) => {
            let checkpoint = bounded(checkpoint, limits)?;
            count(progress.table.iter(), limits)?;
            let table = progress.table.map(printable);
            Ok(Outcome::More(More { checkpoint, progress: Progress { table, ..progress } }))
        }
        Ok(Outcome::Done(summary)) => {
            count(summary.warnings.iter().chain(&summary.damaged), limits)?;
            let printable = |texts: Vec<String>| texts.into_iter().map(printable).collect();
            let Summary { warnings, damaged, .. } = summary;
            let (warnings, damaged) = (printable(warnings), printable(damaged));
            Ok(Outcome::Done(Summary { warnings, damaged, ..summary }))
        }
        Err(error) => Err(shortened(error)),
    })
}

fn bounded(checkpoint: String, limits: &Limits) -> Result<String, Exceeded> {
    let (bytes, limit) = (checkpoint.len(), limits.checkpoint);
    if bytes > limit { Err(Exceeded::Checkpoint { bytes, limit }) } else { Ok(checkpoint) }
}

/// Counts texts, each with what it costs to keep even if it is empty.
fn count<'a>(texts: impl Iterator<Item = &'a String>, limits: &Limits) -> Result<(), Exceeded> {
    let bytes = texts.map(|text| text.len() + size_of::<String>()).sum();
    let limit = limits.texts;
    if bytes > limit { Err(Exceeded::Texts { bytes, limit }) } else { Ok(()) }
}

/// An error's text, for people.
pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > MAX_ERROR {
        text.truncate(text.floor_char_boundary(MAX_ERROR));
        text.push('…');
    }
    printable(text)
}

fn shortened(error: Error) -> Error {
    match error {
        Error::InvalidOptions(text) => Error::InvalidOptions(shorten(text)),
        Error::InvalidCheckpoint(text) => Error::InvalidCheckpoint(shorten(text)),
        Error::ReadFailed(text) => Error::ReadFailed(shorten(text)),
        Error::Corrupt(text) => Error::Corrupt(shorten(text)),
        Error::WriteFailed(text) => Error::WriteFailed(shorten(text)),
        Error::TooLarge(text) => Error::TooLarge(shorten(text)),
        Error::Interrupted => Error::Interrupted,
    }
}

/// A text as it is, but for characters that would do something to a terminal or a log: they are escaped.
fn printable(text: String) -> String {
    if !text.contains(acts) {
        return text;
    }
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Whether a character is a control character, breaks a line or changes the direction of writing.
fn acts(character: char) -> bool {
    let changes_direction = matches!(
        character,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || changes_direction || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_all_else_is_as_it_was() {
        for (text, expected) in [
            ("Zürich, 東京 🦀", "Zürich, 東京 🦀"),
            ("\u{1b}[2J\r\n", "\\u{1b}[2J\\r\\n"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(printable(text.to_owned()), expected);
        }
    }

    #[test]
    fn errors_are_cut_between_two_characters() {
        let Error::Corrupt(text) = shortened(Error::Corrupt("€".repeat(10_000))) else {
            panic!("another error");
        };
        assert_eq!(text, "€".repeat(MAX_ERROR / 3) + "…");
    }

    #[test]
    fn many_empty_texts_are_much_text() {
        let summary = |warnings| Summary {
            tables: 0,
            rows: 0,
            bytes: 0,
            parts: 0,
            warnings,
            damaged: Vec::new(),
        };
        let limits = Limits { texts: 2400, ..Limits::default() };
        let few = Outcome::Done(summary(vec![String::new(); 100]));
        assert!(outcome(Ok(few), &limits).is_ok());
        let many = Outcome::Done(summary(vec![String::new(); 101]));
        let exceeded = outcome(Ok(many), &limits).err();
        assert_eq!(exceeded, Some(Exceeded::Texts { bytes: 2424, limit: 2400 }));
    }
}
