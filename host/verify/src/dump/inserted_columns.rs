//! What the INSERT statements of a dump begin with: whether they list a table's rowid among its columns.

use std::collections::HashMap;

/// The tables that a dump has rows for, each with the first column that its rows list: the rowid, if they hold it. None:
/// they list no columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InsertedColumns(HashMap<Vec<u8>, Option<Vec<u8>>>);

impl InsertedColumns {
    /// Takes the beginning of an INSERT, after `INSERT INTO "`. One whose names are cut off says nothing.
    pub(crate) fn take(&mut self, head: &[u8]) {
        let Some((table, rest)) = unquoted(head) else { return };
        let column = match rest.strip_prefix(b"(\"") {
            Some(columns) => match unquoted(columns) {
                Some((column, _)) => Some(column),
                None => return,
            },
            None => None,
        };
        self.0.entry(table).or_insert(column);
    }

    /// The first column that a table's rows list. None: there are no rows, or they list none.
    pub(crate) fn first(&self, table: &[u8]) -> Option<&[u8]> {
        self.0.get(table)?.as_deref()
    }

    /// Whether there are rows of a table.
    pub(crate) fn has_rows(&self, table: &[u8]) -> bool {
        self.0.contains_key(table)
    }
}

/// A name whose opening quote comes before this text, and what follows it. None: it is cut off.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut name = Vec::new();
    let mut at = 0;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (b'"', Some(b'"')) => at += 1,
            // Whether the quote is doubled is cut off.
            (b'"', None) => return None,
            (b'"', Some(_)) => return Some((name, &text[at + 1..])),
            _ => {}
        }
        name.push(text[at]);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_column_is_that_of_the_first_insert() {
        let mut inserts = InsertedColumns::default();
        for head in [
            &b"a\" VALUES\n(1)"[..],
            b"b\"(\"rowid\",\"x\") VALUES\n(",
            b"b\"(\"x\") VALUES\n(",
            b"c\"\"\xff\"(\"x\"\"y\") VALUES",
            b"cut off",
            b"cut off\"",
            b"cut off\"(\"x",
        ] {
            inserts.take(head);
        }
        assert_eq!((inserts.first(b"a"), inserts.has_rows(b"a")), (None, true));
        assert_eq!(inserts.first(b"b"), Some(&b"rowid"[..]));
        assert_eq!(inserts.first(b"c\"\xff"), Some(&b"x\"y"[..]));
        assert!(!inserts.has_rows(b"cut off"));
    }
}
