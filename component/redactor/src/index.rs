//! Indexes of tables of which only a part is kept.

use crate::definition::{changed_names, has_literal, is_one_of, only_hashes_are_changed};
use crate::policy::Rule;
use crate::tokens::tokens;
use partway_rows::{Object, Table};

/// Whether an index with SQL of its own may stay: it names no changed column, or it is a plain list of columns, none
/// dropped, whose new values keep to it. `rules` has one for each column of its table.
pub(crate) fn may_stay(index: &Object, table: &Table, rules: &[Rule], is_filtered: bool) -> bool {
    let sql = index.sql.as_deref().unwrap_or_default();
    let Some(tokens) = tokens(sql) else { return false };
    let Some(on) = tokens.iter().position(|token| token.is("ON")) else { return false };
    // After the table's name.
    let Some(rest) = tokens.get(on + 2..) else { return false };
    let changed = changed_names(table, rules);
    if !rest.iter().any(|token| is_one_of(token, &changed)) {
        return !(is_filtered && has_literal(rest, table));
    }
    let parentheses = rest.iter().filter(|token| token.is_sign(b'(')).count();
    let is_plain = parentheses == 1 && rest.last().is_some_and(|token| token.is_sign(b')'));
    let dropped: alloc::vec::Vec<Rule> = rules.iter().map(only_dropped).collect();
    let names_dropped = rest.iter().any(|token| is_one_of(token, &changed_names(table, &dropped)));
    let is_unique = tokens.get(1).is_some_and(|token| token.is("UNIQUE"));
    is_plain
        && !names_dropped
        && !has_literal(rest, table)
        && (!is_unique || only_hashes_are_changed(rest, table, rules))
}

fn only_dropped(rule: &Rule) -> Rule {
    if *rule == Rule::Drop { Rule::Drop } else { Rule::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partway_rows::{Column, ColumnKind, ObjectKind};

    #[test]
    fn an_index_stays_if_it_tells_nothing_and_still_holds() {
        let column = |name: &str| Column {
            name: name.into(),
            declared_type: vec![],
            kind: ColumnKind::Ordinary,
            primary_key: 0,
        };
        let table = Table {
            columns: ["kept", "hashed", "masked", "dropped"].map(column).into(),
            rowid: None,
            references: vec![],
            flags: Default::default(),
            estimated_rows: None,
        };
        let rules = [Rule::Keep, Rule::Hash, Rule::Mask, Rule::Drop];
        for (sql, stays, stays_filtered) in [
            ("CREATE INDEX i ON t(kept)", true, true),
            ("CREATE INDEX i ON t(kept COLLATE nocase DESC, masked)", true, true),
            ("CREATE UNIQUE INDEX i ON t(kept, hashed)", true, true),
            ("CREATE UNIQUE INDEX i ON t(kept, masked)", false, false),
            ("CREATE INDEX i ON t(kept, dropped)", false, false),
            ("CREATE INDEX i ON t(lower(hashed))", false, false),
            ("CREATE INDEX i ON t(kept) WHERE masked = 'secret'", false, false),
            ("CREATE INDEX i ON t(kept) WHERE kept = 'secret'", true, false),
            ("CREATE INDEX i ON t(\"secret\", hashed)", false, false),
        ] {
            let index = Object {
                kind: ObjectKind::Index,
                name: b"i".to_vec(),
                on: b"t".to_vec(),
                sql: Some(sql.into()),
                table: None,
            };
            assert_eq!(may_stay(&index, &table, &rules, false), stays, "{sql}");
            assert_eq!(may_stay(&index, &table, &rules, true), stays_filtered, "{sql}");
        }
    }
}
