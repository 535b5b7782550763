//! CREATE TABLE, rewritten so that it tells nothing of what is left out.
//!
//! The text is taken apart at the commas between its columns and constraints, which the schema's list of columns
//! confirms; text that does not fit the list is refused. What names nothing that is left out stays as written. A column
//! whose values change keeps its name, its type and of its constraints those that its new values keep to. Comments go.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::decisions::{TableRules, same, shown};
use crate::dependents::refusal;
use crate::policy::{Dependents, Rule};
use crate::tokens::{Kind, Token, quoted_name, tokens, write};
use partway_rows::{Column, ColumnKind, Object, Table, Text};

/// What other tables have to know of a table of which not all is kept.
pub(crate) struct Changed {
    /// Its columns that are dropped or changed, in lower case.
    pub(crate) columns: BTreeSet<Text>,
    /// Whether one of them is in its primary key.
    pub(crate) key: bool,
}

/// What is left out of the schema, as far as tables may name it. Names are in lower case.
pub(crate) struct Surroundings {
    /// Tables that are left out.
    pub(crate) gone: BTreeSet<Text>,
    /// Tables of which only a part is kept.
    pub(crate) changed: BTreeMap<Text, Changed>,
    /// What becomes of what could tell.
    pub(crate) dependents: Dependents,
}

/// A rewritten definition.
pub(crate) struct Definition {
    /// The SQL.
    pub(crate) sql: Text,
    /// Whether it still has a primary key.
    pub(crate) has_key: bool,
}

/// One table's definition, taken apart.
struct Parts<'a> {
    /// Up to the opening parenthesis.
    head: &'a [Token<'a>],
    columns: Vec<&'a [Token<'a>]>,
    constraints: Vec<&'a [Token<'a>]>,
    /// From the closing parenthesis on.
    tail: &'a [Token<'a>],
}

/// The columns' rules, with those dropped too that are computed from one that is changed.
pub(crate) fn column_rules(
    object: &Object,
    table: &Table,
    rules: &TableRules<'_>,
    dependents: Dependents,
) -> Result<Vec<Rule>, String> {
    let sql = read(object)?;
    let parts = take_apart(&sql, object, table)?;
    let mut found = rules.columns.clone();
    loop {
        let changed = changed_names(table, &found);
        let computed = |(index, column): &(usize, &Column)| {
            column.kind != ColumnKind::Ordinary
                && found[*index] == Rule::Keep
                && (names_inside(parts.columns[*index], &changed)
                    || rules.rows.is_some() && has_literal(&parts.columns[*index][1..], table))
        };
        let Some((index, column)) = table.columns.iter().enumerate().find(computed) else {
            return Ok(found);
        };
        if dependents == Dependents::Refuse {
            return Err(refusal(
                object,
                &format!(
                    "its column {} is computed from one that is changed, or with a constant while rows are left out (drop it too)",
                    shown(&column.name)
                ),
            ));
        }
        found[index] = Rule::Drop;
    }
}

/// The columns that are not kept as they are, in lower case.
pub(crate) fn changed_names(table: &Table, rules: &[Rule]) -> BTreeSet<Text> {
    let changed = table.columns.iter().zip(rules).filter(|(_, rule)| **rule != Rule::Keep);
    changed.map(|(column, _)| column.name.to_ascii_lowercase()).collect()
}

/// Rewrites a table's definition. `rules` has one for each column.
pub(crate) fn rewrite(
    object: &Object,
    table: &Table,
    rules: &[Rule],
    is_filtered: bool,
    surroundings: &Surroundings,
) -> Result<Definition, String> {
    let sql = read(object)?;
    let parts = take_apart(&sql, object, table)?;
    let changed = changed_names(table, rules);
    let rewriter = Rewriter { object, table, rules, is_filtered, changed, surroundings };
    rewriter.definition(&parts)
}

fn read(object: &Object) -> Result<Vec<Token<'_>>, String> {
    object.sql.as_deref().and_then(tokens).ok_or_else(|| unreadable(object))
}

fn unreadable(object: &Object) -> String {
    format!(
        "the definition of table {} can't be rewritten with certainty: keep the whole table or leave it out",
        shown(&object.name)
    )
}

fn take_apart<'a>(
    tokens: &'a [Token<'a>],
    object: &Object,
    table: &Table,
) -> Result<Parts<'a>, String> {
    let part = || -> Option<Parts<'a>> {
        let [create, word, name, open, ..] = tokens else { return None };
        let is_head = create.is("CREATE") && word.is("TABLE") && open.is_sign(b'(');
        if !is_head || *name.name()? != *object.name {
            return None;
        }
        let (mut depth, mut begin, mut pieces, mut end) = (0_usize, 4, Vec::new(), None);
        for (index, token) in tokens.iter().enumerate().skip(3) {
            if token.is_sign(b'(') {
                depth += 1;
            } else if token.is_sign(b')') {
                depth = depth.checked_sub(1)?;
            }
            if depth == 0 || depth == 1 && token.is_sign(b',') {
                pieces.push(tokens.get(begin..index)?);
                begin = index + 1;
            }
            if depth == 0 {
                end = Some(index);
                break;
            }
        }
        let tail = &tokens[end?..];
        let options = ["STRICT", "WITHOUT", "ROWID"];
        let is_option =
            |token: &Token<'_>| token.is_sign(b',') || options.iter().any(|word| token.is(word));
        let count = table.columns.len();
        if pieces.len() < count || !tail[1..].iter().all(is_option) {
            return None;
        }
        let constraints = pieces.split_off(count);
        let fits = |(piece, column): (&&[Token<'_>], &Column)| {
            piece.first().and_then(Token::name).is_some_and(|name| *name == *column.name)
        };
        let words = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
        let is_constraint = |piece: &&[Token<'_>]| {
            piece.first().is_some_and(|token| words.iter().any(|word| token.is(word)))
        };
        let all_fit = pieces.iter().zip(&table.columns).all(fits);
        (all_fit && constraints.iter().all(is_constraint)).then_some(Parts {
            head: &tokens[..4],
            columns: pieces,
            constraints,
            tail,
        })
    };
    part().ok_or_else(|| unreadable(object))
}

/// Each token with the number of parentheses around it.
fn with_depth<'a>(piece: &'a [Token<'a>]) -> impl Iterator<Item = (usize, &'a Token<'a>)> {
    piece.iter().scan(0_usize, |depth, token| {
        if token.is_sign(b')') {
            *depth = depth.saturating_sub(1);
        }
        let at = *depth;
        if token.is_sign(b'(') {
            *depth += 1;
        }
        Some((at, token))
    })
}

/// Whether one of these names is in parentheses: only there can a column's or table's constraint name a column.
fn names_inside(piece: &[Token<'_>], names: &BTreeSet<Text>) -> bool {
    with_depth(piece).any(|(depth, token)| depth > 0 && is_one_of(token, names))
}

pub(crate) fn is_one_of(token: &Token<'_>, names: &BTreeSet<Text>) -> bool {
    token.name().is_some_and(|name| names.contains(&name.to_ascii_lowercase()))
}

/// Where two words follow one another outside of parentheses.
fn find(piece: &[Token<'_>], words: [&str; 2]) -> Option<usize> {
    let depths: Vec<usize> = with_depth(piece).map(|(depth, _)| depth).collect();
    (1..piece.len().saturating_sub(1))
        .find(|at| depths[*at] == 0 && piece[*at].is(words[0]) && piece[*at + 1].is(words[1]))
}

/// Whether a word is outside of parentheses.
fn has(piece: &[Token<'_>], word: &str) -> bool {
    with_depth(piece).any(|(depth, token)| depth == 0 && token.is(word))
}

/// Whether tokens may hold a value of a row: a string, a blob, a long number, or a name in quotes that is no column's.
pub(crate) fn has_literal(piece: &[Token<'_>], table: &Table) -> bool {
    let is_column = |token: &Token<'_>| {
        let name = token.name().unwrap_or_default();
        table.columns.iter().any(|column| same(&column.name, &name))
    };
    let constants = ["NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];
    let after_default = |index: usize| index > 0 && piece[index - 1].is("DEFAULT");
    piece.iter().enumerate().any(|(index, token)| match token.kind {
        Kind::String => true,
        Kind::QuotedName => !is_column(token),
        Kind::Number => token.text.len() > 4,
        // A word there is a string to SQLite.
        Kind::Word => after_default(index) && !constants.iter().any(|word| token.is(word)),
        Kind::Sign => false,
    })
}

struct Rewriter<'a> {
    object: &'a Object,
    table: &'a Table,
    rules: &'a [Rule],
    is_filtered: bool,
    /// The names of its changed columns, in lower case.
    changed: BTreeSet<Text>,
    surroundings: &'a Surroundings,
}

impl Rewriter<'_> {
    fn definition(&self, parts: &Parts<'_>) -> Result<Definition, String> {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        let mut has_key = false;
        for (index, piece) in parts.columns.iter().enumerate() {
            if self.rules[index] == Rule::Drop {
                continue;
            }
            let text = self.column(index, piece)?;
            // Whatever was left of it, a key is one of these words.
            has_key |=
                tokens(&text).is_some_and(|tokens| find(&tokens, ["PRIMARY", "KEY"]).is_some());
            pieces.push(text);
        }
        for piece in &parts.constraints {
            let is_key = has(piece, "PRIMARY");
            if !self.tells(piece) || self.is_key_of_hashes(piece) {
                has_key |= is_key;
                let mut text = Vec::new();
                write(&mut text, piece);
                pieces.push(text);
            } else if is_key && self.table.flags.without_rowid {
                return Err(unreadable(self.object));
            } else {
                self.may_leave_out("a constraint names what is left out or changed")?;
            }
        }
        let mut sql = Vec::new();
        write(&mut sql, parts.head);
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                sql.extend_from_slice(b", ");
            }
            sql.extend_from_slice(piece);
        }
        write(&mut sql, parts.tail);
        Ok(Definition { sql, has_key })
    }

    /// A column that is not dropped.
    fn column(&self, index: usize, piece: &[Token<'_>]) -> Result<Vec<u8>, String> {
        let column = &self.table.columns[index];
        let is_kept = self.rules[index] == Rule::Keep;
        if is_kept {
            if !self.tells(piece) {
                let mut text = Vec::new();
                write(&mut text, piece);
                return Ok(text);
            }
            self.may_leave_out(&format!(
                "a constraint of column {} names what is left out or changed, or has a constant while rows are left out",
                shown(&column.name)
            ))?;
            if column.kind != ColumnKind::Ordinary {
                return Err(unreadable(self.object));
            }
        }
        // Different values have different hashes. Other values may be equal now.
        let stays_unique = is_kept || self.rules[index] == Rule::Hash;
        let mut text = quoted_name(&column.name);
        if !column.declared_type.is_empty() {
            text.push(b' ');
            text.extend_from_slice(&declared_type(&column.declared_type));
        }
        if let Some(at) = find(piece, ["PRIMARY", "KEY"])
            && stays_unique
        {
            text.extend_from_slice(b" PRIMARY KEY");
            // It decides whether the column is the rowid.
            if piece.get(at + 2).is_some_and(|token| token.is("DESC")) {
                text.extend_from_slice(b" DESC");
            }
            if is_kept && has(piece, "AUTOINCREMENT") {
                text.extend_from_slice(b" AUTOINCREMENT");
            }
        }
        if stays_unique && has(&piece[1..], "UNIQUE") {
            text.extend_from_slice(b" UNIQUE");
        }
        if self.rules[index] != Rule::Null && find(piece, ["NOT", "NULL"]).is_some() {
            text.extend_from_slice(b" NOT NULL");
        }
        Ok(text)
    }

    /// Whether a column's or table's constraints could tell what is left out.
    fn tells(&self, piece: &[Token<'_>]) -> bool {
        names_inside(piece, &self.changed)
            || self.references_something_changed(piece)
            || self.is_filtered && has_literal(&piece[1..], self.table)
    }

    fn references_something_changed(&self, piece: &[Token<'_>]) -> bool {
        let references = piece.iter().enumerate().filter(|(_, token)| token.is("REFERENCES"));
        references.map(|(index, _)| &piece[index + 1..]).any(|rest| {
            let Some(name) = rest.first().and_then(Token::name) else { return true };
            let name = name.to_ascii_lowercase();
            if self.surroundings.gone.contains(&name) {
                return true;
            }
            let Some(changed) = self.surroundings.changed.get(&name) else { return false };
            match rest.get(1) {
                Some(token) if token.is_sign(b'(') => {
                    let columns = rest[2..].iter().take_while(|token| !token.is_sign(b')'));
                    columns.into_iter().any(|token| is_one_of(token, &changed.columns))
                }
                _ => changed.key,
            }
        })
    }

    /// Whether it is a plain UNIQUE or PRIMARY KEY, in which only hashes are changed.
    fn is_key_of_hashes(&self, piece: &[Token<'_>]) -> bool {
        let odd = ["CHECK", "FOREIGN", "REFERENCES"];
        let is_plain = !odd.iter().any(|word| piece.iter().any(|token| token.is(word)));
        is_plain && only_hashes_are_changed(piece, self.table, self.rules)
    }

    fn may_leave_out(&self, why: &str) -> Result<(), String> {
        match self.surroundings.dependents {
            Dependents::LeaveOut => Ok(()),
            Dependents::Refuse => Err(refusal(self.object, why)),
        }
    }
}

/// Whether each column that is named, and not kept, is hashed.
pub(crate) fn only_hashes_are_changed(piece: &[Token<'_>], table: &Table, rules: &[Rule]) -> bool {
    let mut named = table.columns.iter().zip(rules).filter(|(column, _)| {
        let is_it = |name: alloc::borrow::Cow<'_, [u8]>| same(&name, &column.name);
        piece.iter().any(|token| token.name().is_some_and(is_it))
    });
    named.all(|(_, rule)| matches!(rule, Rule::Keep | Rule::Hash))
}

/// A type as SQL takes it.
fn declared_type(declared: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_ (),+-.".contains(byte);
    if declared.iter().all(is_plain) && !declared[0].is_ascii_digit() {
        declared.to_vec()
    } else {
        quoted_name(declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of plain columns, the first its key if `key`.
    fn table(names: &[&str], computed: &[&str]) -> Table {
        let column = |name: &&str| Column {
            name: name.as_bytes().to_vec(),
            declared_type: b"TEXT".to_vec(),
            kind: if computed.contains(name) {
                ColumnKind::GeneratedVirtual
            } else {
                ColumnKind::Ordinary
            },
            primary_key: 0,
        };
        Table {
            columns: names.iter().map(column).collect(),
            rowid: Some(b"rowid".to_vec()),
            references: vec![],
            flags: Default::default(),
            estimated_rows: None,
        }
    }

    fn object(sql: &str) -> Object {
        Object {
            kind: partway_rows::ObjectKind::Table,
            name: b"t".to_vec(),
            on: b"t".to_vec(),
            sql: Some(sql.into()),
            table: None,
        }
    }

    fn rewritten(
        sql: &str,
        columns: &[&str],
        rules: &[Rule],
        filtered: bool,
        dependents: Dependents,
    ) -> Result<String, String> {
        let parent = Changed { columns: [b"email".to_vec()].into(), key: false };
        let surroundings = Surroundings {
            gone: [b"gone".to_vec()].into(),
            changed: [(b"parent".to_vec(), parent)].into(),
            dependents,
        };
        let table = table(columns, &[]);
        let definition = rewrite(&object(sql), &table, rules, filtered, &surroundings)?;
        Ok(String::from_utf8(definition.sql).unwrap())
    }

    #[test]
    fn what_names_nothing_left_out_stays_as_written() {
        let sql = "CREATE TABLE t (a INT -- secret one\n CHECK(a>0), [b] TEXT NOT NULL DEFAULT 'x' COLLATE nocase, \
                   c text UNIQUE, d, PRIMARY KEY(a) , UNIQUE (b, c)) STRICT";
        let rules = [Rule::Keep, Rule::Keep, Rule::Hash, Rule::Drop];
        for dependents in [Dependents::Refuse, Dependents::LeaveOut] {
            let text = rewritten(sql, &["a", "b", "c", "d"], &rules, false, dependents).unwrap();
            assert_eq!(
                text,
                "CREATE TABLE t (a INT CHECK(a>0), [b] TEXT NOT NULL DEFAULT 'x' COLLATE nocase, \"c\" TEXT UNIQUE, \
                 PRIMARY KEY(a), UNIQUE (b, c)) STRICT"
            );
        }
    }

    #[test]
    fn what_names_something_left_out_is_refused_or_left_out() {
        let rules = [Rule::Keep, Rule::Mask];
        for (piece, left) in [
            ("a CHECK (a <> B), b", "\"a\" TEXT, \"b\" TEXT"),
            ("a UNIQUE DEFAULT (\"b\"), b", "\"a\" TEXT UNIQUE, \"b\" TEXT"),
            ("a, b NOT NULL UNIQUE, UNIQUE(b)", "a, \"b\" TEXT NOT NULL"),
            ("a REFERENCES gone, b", "\"a\" TEXT, \"b\" TEXT"),
            ("a REFERENCES parent(Email), b", "\"a\" TEXT, \"b\" TEXT"),
            ("a, b, FOREIGN KEY(b) REFERENCES other(x)", "a, \"b\" TEXT"),
            ("a, b, CONSTRAINT c CHECK(length([b]) > 2)", "a, \"b\" TEXT"),
        ] {
            let sql = format!("CREATE TABLE t({piece})");
            let refused = rewritten(&sql, &["a", "b"], &rules, false, Dependents::Refuse);
            assert!(refused.unwrap_err().contains("could tell"), "{sql}");
            let text = rewritten(&sql, &["a", "b"], &rules, false, Dependents::LeaveOut);
            assert_eq!(text.unwrap(), format!("CREATE TABLE t({left})"));
        }
    }

    #[test]
    fn what_tells_nothing_is_not_refused() {
        let rules = [Rule::Keep, Rule::Mask];
        for piece in [
            "a REFERENCES parent(id), b DEFAULT 'secret' CHECK (b <> 'secret')",
            "a DEFAULT 'x' REFERENCES other(b_id), b",
            "a b DEFAULT 7, b",
        ] {
            let sql = format!("CREATE TABLE t({piece})");
            let text = rewritten(&sql, &["a", "b"], &rules, false, Dependents::Refuse).unwrap();
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn constants_may_be_values_of_rows_that_are_left_out() {
        let rules = [Rule::Keep, Rule::Keep];
        for (piece, tells) in [
            ("a DEFAULT 'secret', b", true),
            ("a CHECK (a <> \"secret\"), b", true),
            ("a DEFAULT secret, b", true),
            ("a DEFAULT 123456789, b", true),
            ("a, b, CHECK (a <> x'00112233')", true),
            ("a DEFAULT 0 CHECK (\"a\" <> b), b DEFAULT NULL", false),
        ] {
            let sql = format!("CREATE TABLE t({piece})");
            let refused = rewritten(&sql, &["a", "b"], &rules, true, Dependents::Refuse).is_err();
            assert_eq!(refused, tells, "{sql}");
            let text = rewritten(&sql, &["a", "b"], &rules, true, Dependents::LeaveOut).unwrap();
            assert!(!text.contains("secret") && !text.contains("123456789"), "{text}");
        }
    }

    #[test]
    fn text_that_does_not_fit_the_columns_is_refused() {
        let rules = [Rule::Keep, Rule::Mask];
        for sql in [
            "CREATE TABLE t(a, c)",
            "CREATE TABLE t(a)",
            "CREATE TABLE t(a, b, c)",
            "CREATE TABLE other(a, b)",
            "CREATE TABLE t(a, b",
            "CREATE TABLE t(a, b) SOMETHING",
            "CREATE TABLE t(a, b DEFAULT 'x)",
            "CREATE VIRTUAL TABLE t USING x(a, b)",
        ] {
            let refused = rewritten(sql, &["a", "b"], &rules, false, Dependents::LeaveOut);
            assert!(refused.unwrap_err().contains("certainty"), "{sql}");
        }
    }

    #[test]
    fn what_is_computed_from_a_changed_column_goes_with_it() {
        let sql = "CREATE TABLE t(a, b AS (a || 1), c AS (lower(b)), d AS (e), e)";
        let table = table(&["a", "b", "c", "d", "e"], &["b", "c", "d"]);
        let keep = Rule::Keep;
        let columns = vec![Rule::Mask, keep.clone(), keep.clone(), keep.clone(), keep.clone()];
        let rules = TableRules { columns, rows: None };
        let found = column_rules(&object(sql), &table, &rules, Dependents::LeaveOut).unwrap();
        assert_eq!(found, [Rule::Mask, Rule::Drop, Rule::Drop, keep.clone(), keep]);
        assert!(column_rules(&object(sql), &table, &rules, Dependents::Refuse).is_err());

        // A constant may be a value of a row that is left out.
        let sql = "CREATE TABLE t(a, b AS (a || 'secret'), c AS (a || 1), d AS (a), e)";
        let filter = crate::policy::RowFilter {
            column: "e".into(),
            is: crate::policy::Comparison::Equal,
            value: crate::policy::Literal::Integer(1),
        };
        let rules = TableRules { columns: vec![Rule::Keep; 5], rows: Some(&filter) };
        let found = column_rules(&object(sql), &table, &rules, Dependents::LeaveOut).unwrap();
        assert_eq!(found, [Rule::Keep, Rule::Drop, Rule::Keep, Rule::Keep, Rule::Keep]);
    }
}
