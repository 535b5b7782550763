//! What a table's text has begun and not ended: a statement, and a long value. Checkpoints hold it.

use serde::{Deserialize, Serialize};

/// Where in a statement and a value the text ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Where in the object the first row of the open statement begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) statement: Option<u64>,
    /// Inside the row after the resume point's position: how far one of its long values is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<ValueProgress>,
    /// How many characters of the table could not be converted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) unconverted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How far a long value is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValueProgress {
    /// Its column, counted from 0 among those that are read.
    pub(super) column: u32,
    /// Bytes of the value that are written.
    pub(super) offset: u32,
    /// Whether it is written in hexadecimal digits.
    pub(super) hex: bool,
    /// Where the piece of the value begins that a statement is adding to it; none where the value is written in
    /// its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) piece: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let value = ValueProgress { column: 1, offset: 9, hex: true, piece: Some(7) };
        let in_row = ValueProgress { piece: None, ..value };
        for state in [
            State::default(),
            State { statement: Some(77), ..State::default() },
            State { value: Some(value), unconverted: 3, ..State::default() },
            State { statement: Some(77), value: Some(in_row), unconverted: 0 },
        ] {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state, "{text}");
        }
    }
}
