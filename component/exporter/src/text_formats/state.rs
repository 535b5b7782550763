//! What is known in the middle of a table. Checkpoints hold it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::syntax::Seen;

/// Where in a table the text ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// A row has begun: the next one stands behind a comma, where rows are separated.
    #[serde(default)]
    pub(super) has_rows: bool,
    /// Inside the row after the resume point's position: how far one of its long values is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<ValueProgress>,
    #[serde(default)]
    pub(super) losses: Losses,
}

/// How far a long value is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValueProgress {
    /// Its column, counted from 0.
    pub(super) column: u32,
    /// Bytes of the value that are written.
    pub(super) offset: u32,
    pub(super) form: Form,
}

/// In which form a value of text or bytes is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Form {
    /// As text.
    Text,
    /// Text that is invalid in its encoding: its bytes.
    Undecodable,
    Blob,
}

/// What of a table readers can't get back from the text, or may stumble over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Losses {
    /// Characters that are invalid in the database's encoding, and U+FFFD in the text.
    pub(super) replaced: u64,
    /// NUL characters.
    pub(super) nuls: u64,
    /// Blobs that look like text.
    pub(super) blobs: u64,
    /// Rows that are empty lines.
    pub(super) empty_lines: u64,
}

impl Losses {
    /// Counts the NUL characters of a text in which some have been seen.
    #[inline(always)]
    pub(super) fn count_nuls(&mut self, seen: &Seen, text: &[u8]) {
        if seen.nul {
            self.nuls += nuls(text);
        }
    }

    /// One sentence for each kind, of the table with this name in quotes.
    pub(super) fn sentences(self, table: &str) -> Vec<String> {
        let Self { replaced, nuls, blobs, empty_lines } = self;
        let kinds = [
            (
                replaced,
                format!(
                    "characters of table {table} that are invalid in the database's encoding are written as U+FFFD"
                ),
            ),
            (nuls, format!("text of table {table} has NUL characters, which many readers refuse")),
            (
                blobs,
                format!(
                    "blobs of table {table} are written as text, and nothing tells them from it"
                ),
            ),
            (
                empty_lines,
                format!(
                    "NULLs of table {table}, which has one column, are empty lines, which many readers skip: choose \
                     a text for NULL"
                ),
            ),
        ];
        let told = kinds.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, text)| format!("{text} ({count} of them)")).collect()
    }
}

#[cold]
fn nuls(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == 0).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let value = ValueProgress { column: 1, offset: 9, form: Form::Undecodable };
        let losses = Losses { replaced: 1, nuls: 2, blobs: 3, empty_lines: 4 };
        for state in [State::default(), State { has_rows: true, value: Some(value), losses }] {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state, "{text}");
        }
    }

    #[test]
    fn each_loss_is_told_once() {
        assert!(Losses::default().sentences("\"t\"").is_empty());
        let told = Losses { replaced: 2, blobs: 1, ..Losses::default() }.sentences("\"t\"");
        assert_eq!(told.len(), 2);
        assert!(told[0].ends_with("U+FFFD (2 of them)"), "{told:?}");
    }
}
