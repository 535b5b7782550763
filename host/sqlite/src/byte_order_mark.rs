//! Byte order marks at the beginning of UTF-16 text, which SQLite takes away while it reads.
//!
//! Since SQLite 3.43, a text of more than 4,000 bytes in a rowid table passes through `sqlite3VdbeMemSetStr`, which takes
//! a mark at its beginning for one of encoding and removes it. What is stored has it: `octet_length` counts it, but for
//! columns of REAL affinity, and an incremental blob reads it.

use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_int};

use rusqlite::ffi;
use rusqlite::types::ValueRef;

use crate::database::Database;
use crate::statement::Statement;

/// Where SQLite begins to lose marks, in bytes without the mark.
const FIRST_LOST: usize = 3_999;

/// Finds the marks that cells have lost.
pub(crate) struct LostMarks<'c> {
    pub(crate) database: &'c Database,
    /// The encoding of the database's text, as SQLite numbers it.
    pub(crate) encoding: c_int,
    /// The table, unquoted.
    pub(crate) table: CString,
    /// The columns whose cells can be opened by the rowid, by their results; unquoted.
    pub(crate) columns: HashMap<usize, CString>,
    /// The results whose cells are of columns of REAL affinity.
    pub(crate) reals: HashSet<usize>,
}

impl LostMarks<'_> {
    /// The mark that a cell of a statement has lost. `stored`: its `octet_length`. `result`: where it is in all results of the
    /// query. `rowid`: its row, if that is the key.
    pub(crate) fn of(
        &self,
        statement: &Statement<'_>,
        cell: usize,
        stored: ValueRef<'_>,
        result: usize,
        rowid: Option<i64>,
    ) -> Option<[u8; 2]> {
        let ValueRef::Text(text) = statement.cell(cell) else { return None };
        let is_other = || statement.encoding(cell) != self.encoding;
        let has_lost_uncounted = text.len() >= FIRST_LOST
            && self.reals.contains(&result)
            && (is_other() || self.length(result, rowid) == Some(text.len() + 2));
        match has_lost_uncounted {
            true => Some(mark(statement, cell)),
            false => counted_mark(statement, cell, stored),
        }
    }

    /// How many bytes of a cell are stored; none where it can't be opened: in a table with generated columns, say.
    pub(crate) fn length(&self, result: usize, rowid: Option<i64>) -> Option<usize> {
        let rowid = rowid?;
        let (table, column) = (self.table.as_c_str(), self.columns.get(&result)?.as_c_str());
        let blob = self.database.blob_open(self.database.schema(), table, column, rowid, true);
        blob.ok().map(|blob| blob.len())
    }
}

/// The mark that a cell has lost by its `octet_length`, which is that without the mark in columns of REAL affinity.
pub(crate) fn counted_mark(
    statement: &Statement<'_>,
    cell: usize,
    stored: ValueRef<'_>,
) -> Option<[u8; 2]> {
    let ValueRef::Text(text) = statement.cell(cell) else { return None };
    (stored == ValueRef::Integer(text.len() as i64 + 2)).then(|| mark(statement, cell))
}

/// Whether a column of this type has REAL affinity (SQLite's documentation of types, section 3.1).
pub(crate) fn is_real(declared_type: &[u8]) -> bool {
    let declared = declared_type.to_ascii_uppercase();
    let has = |part: &[u8]| declared.windows(part.len()).any(|at| at == part);
    let is_other = [&b"INT"[..], b"CHAR", b"CLOB", b"TEXT", b"BLOB"].into_iter().any(has);
    !is_other && [&b"REAL"[..], b"FLOA", b"DOUB"].into_iter().any(has)
}

/// SQLite takes a text to be in the encoding of the mark that it has taken away.
fn mark(statement: &Statement<'_>, cell: usize) -> [u8; 2] {
    match statement.encoding(cell) {
        ffi::SQLITE_UTF16BE => [0xfe, 0xff],
        _ => [0xff, 0xfe],
    }
}
