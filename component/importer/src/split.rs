//! Splitting a range of a dump into its statements.

use alloc::vec::Vec;

use crate::kind::Kind;
use crate::statements::{Segment, Span, StatementSplitter};

/// What a statement is, for a host that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// A PRAGMA.
    Setting,
    /// Creates a table, virtual or not.
    Table,
    /// Inserts rows into one of the user's tables.
    Rows,
    /// Anything else.
    Other,
}

/// Where a statement is in the bytes given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The offset of its first byte.
    pub start: usize,
    /// The offset after its semicolon.
    pub end: usize,
    /// What it is.
    pub kind: StatementKind,
    /// How many rows it inserts, if it is of the kind [`StatementKind::Rows`].
    pub rows: u64,
}

/// The statements that end in a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements {
    /// Them, in order, without the comments between them.
    pub statements: Vec<Statement>,
    /// The offset after the last statement or comment that ends here: where the next range begins.
    pub used: usize,
}

/// Splits a range that begins where a statement or comment begins. `limit`: no more statements than that.
pub fn split(bytes: &[u8], limit: u32) -> Statements {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut splitter, mut found) = (StatementSplitter::default(), Statements::default());
    let mut at = 0;
    while at < bytes.len() && found.statements.len() < limit {
        let (taken, segment) = splitter.next(&bytes[at..]);
        at += taken;
        match segment {
            None => {}
            Some(Segment::Comment(_)) => found.used = at,
            Some(Segment::Statement(span)) => {
                found.statements.push(statement(&span, at));
                found.used = at;
            }
        }
    }
    found
}

fn statement(span: &Span, end: usize) -> Statement {
    let kind = match Kind::of(&span.head) {
        Kind::Setting => StatementKind::Setting,
        Kind::Table | Kind::VirtualTable => StatementKind::Table,
        Kind::Rows(_) => StatementKind::Rows,
        Kind::Other => StatementKind::Other,
    };
    let rows = if kind == StatementKind::Rows { span.rows } else { 0 };
    // The splitter is new, so that its offsets are the range's.
    let start = usize::try_from(span.start).unwrap_or(end);
    Statement { start, end, kind, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &[u8] = b"-- partway:begin sql 1\nPRAGMA defer_foreign_keys=TRUE;\n\
        CREATE TABLE \"a;b\"(x /* ; */);\nINSERT INTO \"a;b\" VALUES\n(1),\n('it''s; --');\n\
        CREATE TRIGGER t AFTER INSERT ON \"a;b\" BEGIN SELECT 1; END;\n\
        INSERT INTO \"sqlite_sequence\" VALUES('a',1);\n-- partway:end tables=1 rows=2\nSELECT 1;\n";

    fn texts(bytes: &[u8], statements: &Statements) -> Vec<Vec<u8>> {
        statements.statements.iter().map(|one| bytes[one.start..one.end].to_vec()).collect()
    }

    #[test]
    fn statements_come_whole_and_are_known_by_their_kind() {
        let all = split(DUMP, u32::MAX);
        assert_eq!(all.used, DUMP.len() - 1);
        let kinds: Vec<_> = all.statements.iter().map(|one| (one.kind, one.rows)).collect();
        use StatementKind::{Other, Rows, Setting, Table};
        assert_eq!(
            kinds,
            [(Setting, 0), (Table, 0), (Rows, 2), (Other, 0), (Other, 0), (Other, 0)]
        );
        assert!(texts(DUMP, &all).iter().all(|text| text.ends_with(b";")));
    }

    #[test]
    fn ranges_of_any_size_give_the_same_statements() {
        let all = texts(DUMP, &split(DUMP, u32::MAX));
        for size in 80..DUMP.len() {
            for limit in [1, 2, u32::MAX] {
                let (mut at, mut found) = (0, Vec::new());
                while at < DUMP.len() {
                    let range = &DUMP[at..DUMP.len().min(at + size)];
                    let part = split(range, limit);
                    found.extend(texts(range, &part));
                    at += part.used;
                    if part.used == 0 {
                        break;
                    }
                }
                assert_eq!(found, all, "ranges of {size} bytes, {limit} statements each");
            }
        }
    }

    #[test]
    fn where_nothing_ends_nothing_is_used() {
        assert_eq!(split(b"INSERT INTO \"t\" VALUES('; -- \n'", 9), Statements::default());
        assert_eq!(split(b"", 9), Statements::default());
        assert_eq!(split(DUMP, 0), Statements::default());
    }
}
