//! Byte order marks at the beginning of UTF-16 text, which SQLite takes away while it reads.
//!
//! Since SQLite 3.43, a text of more than 4,000 bytes in a rowid table passes through `sqlite3VdbeMemSetStr`, which takes
//! a mark at its beginning for one of encoding and removes it. What is stored has it: `octet_length` counts it, and an
//! incremental blob reads it.

use rusqlite::ffi;
use rusqlite::types::ValueRef;

use crate::statement::Statement;

/// The mark that a cell has lost. `stored`: the cell's `octet_length`.
pub(crate) fn lost_mark(
    statement: &Statement<'_>,
    cell: usize,
    stored: ValueRef<'_>,
) -> Option<[u8; 2]> {
    let ValueRef::Text(text) = statement.cell(cell) else { return None };
    let has_lost = stored == ValueRef::Integer(text.len() as i64 + 2);
    // SQLite takes the text to be in the encoding of the mark from then on.
    has_lost.then(|| match statement.encoding(cell) {
        ffi::SQLITE_UTF16BE => [0xfe, 0xff],
        _ => [0xff, 0xfe],
    })
}
