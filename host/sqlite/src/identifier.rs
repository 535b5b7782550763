//! Names of tables and columns, which may be any bytes: in SQL, as a parameter, and in a message.

use rusqlite::types::{ToSqlOutput, ValueRef};

/// A name in double quotes, for SQL.
pub(crate) fn quoted(name: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in name {
        text.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
    }
    text.push(b'"');
    text
}

/// A name as a parameter: text, whatever its bytes.
pub(crate) fn as_parameter(name: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(name))
}

/// A table's name, for messages.
pub(crate) fn displayed_table(name: &[u8]) -> String {
    format!("table {:?}", String::from_utf8_lossy(name))
}
