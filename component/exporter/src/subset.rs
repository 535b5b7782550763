//! Which part of a database to export: which tables, their definitions or their rows, and how many rows.
//!
//! Any format may understand it: these are the option `tables` and the settings `exclude-table`, `content`, `limit` and
//! `filtered`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Error, Object, ObjectKind, Options, Schema, Text};

/// The settings, for messages.
pub(crate) const SETTINGS: &str =
    "exclude-table=TABLE, content=all|schema|data, limit=ROWS or filtered=TABLE";

/// What of the chosen tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Definitions and rows.
    All,
    /// `content=schema`: definitions alone.
    Definitions,
    /// `content=data`: rows alone, for tables that are there.
    Rows,
}

/// A part of a database, or all of it.
pub(crate) struct Subset {
    /// The chosen tables, in lower case; none: all.
    chosen: Option<BTreeSet<Text>>,
    /// Tables that are left out though they may be chosen, with those that belong to them, in lower case.
    left_out: BTreeSet<Text>,
    /// Whether tables are left out by their names.
    excludes: bool,
    content: Content,
    limit: Option<u64>,
    /// Tables of which the host leaves rows out.
    filtered: Vec<Text>,
}

impl Subset {
    /// Whether a setting is one of these.
    pub(crate) fn has_setting(name: &str) -> bool {
        matches!(name, "exclude-table" | "content" | "limit" | "filtered")
    }

    /// Finds what the options ask for. A name or pattern that no table has is an error.
    pub(crate) fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        let mut subset = Self {
            chosen: None,
            left_out: BTreeSet::new(),
            excludes: false,
            content: Content::All,
            limit: None,
            filtered: Vec::new(),
        };
        if !options.tables.is_empty() {
            let mut chosen = BTreeSet::new();
            for name in &options.tables {
                let named = tables_named(schema, name, "exported", Self::refusal)?;
                chosen.extend(named.iter().map(|name| name.to_ascii_lowercase()));
            }
            subset.chosen = Some(chosen);
        }
        for (name, value) in &options.settings {
            match name.as_str() {
                "exclude-table" => {
                    let refusal = |object: &Object| Self::refusal_to_exclude(schema, object);
                    subset.excludes = true;
                    let named = tables_named(schema, value, "left out", refusal)?;
                    subset.left_out.extend(named.iter().map(|name| name.to_ascii_lowercase()));
                }
                "content" => subset.content = content(value)?,
                "limit" => subset.limit = Some(limit(value)?),
                "filtered" => {
                    let refusal = |_: &Object| None;
                    let found = tables_named(schema, value, "filtered", refusal)?;
                    subset.filtered.extend(found);
                }
                _ => {}
            }
        }
        subset.leave_out_belongings(schema);
        Ok(subset)
    }

    /// Virtual tables take their shadow tables with them. Without rows these are nothing, and without definitions they are in
    /// the way of those that the definition makes.
    fn leave_out_belongings(&mut self, schema: &Schema) {
        let is_out = |name: &Text| self.left_out.contains(&name.to_ascii_lowercase());
        let mut belonging = Vec::new();
        for (object, table) in tables(schema) {
            let of_virtual = match table.flags.is_virtual {
                true if self.content == Content::Rows => true,
                true => is_out(&object.name),
                false => continue,
            };
            if of_virtual {
                belonging.push(object.name.to_ascii_lowercase());
            }
            if of_virtual || self.content == Content::Definitions {
                let shadows = shadows_of(schema, object);
                belonging.extend(shadows.map(|shadow| shadow.name.to_ascii_lowercase()));
            }
        }
        self.left_out.extend(belonging);
    }

    fn refusal(object: &Object) -> Option<&'static str> {
        match &object.table {
            None => Some("it is a view, which has no rows of its own"),
            Some(table) if table.flags.is_virtual => Some(
                "it is a virtual table, whose data is in other tables: export the whole database",
            ),
            Some(_) => None,
        }
    }

    fn refusal_to_exclude(schema: &Schema, object: &Object) -> Option<&'static str> {
        if object.table.is_none() {
            return Some("it is a view, which has no rows of its own");
        }
        let mut owners = tables(schema).filter(|(_, table)| table.flags.is_virtual);
        let is_shadow = owners
            .any(|(owner, _)| shadows_of(schema, owner).any(|found| found.name == object.name));
        is_shadow.then_some("it holds data of a virtual table: leave that one out")
    }

    /// Whether it is less than the whole database.
    pub(crate) fn is_part(&self) -> bool {
        self.chosen.is_some()
            || self.excludes
            || self.content != Content::All
            || self.limit.is_some()
            || !self.filtered.is_empty()
    }

    /// What is in it of each table.
    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// The most rows of a table; none: all.
    pub(crate) fn max_rows(&self) -> Option<u64> {
        if self.content == Content::Definitions { Some(0) } else { self.limit }
    }

    /// Whether all tables are in it, with what SQLite keeps for itself.
    pub(crate) fn has_all_tables(&self) -> bool {
        self.chosen.is_none() && !self.excludes && self.content == Content::All
    }

    /// Whether an object is in it: a table, or what belongs to it.
    pub(crate) fn has(&self, object: &Object) -> bool {
        let on = object.on.to_ascii_lowercase();
        let is_chosen = match &self.chosen {
            None => self.has_all_tables() || !is_internal(&on),
            Some(chosen) => object.kind != ObjectKind::View && chosen.contains(&on),
        };
        let is_wanted = self.content != Content::Rows || object.kind == ObjectKind::Table;
        is_chosen && is_wanted && !self.left_out.contains(&on)
    }

    /// What it is a part by, in a few words; none: it is the whole database.
    pub(crate) fn description(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        match self.content {
            Content::All => {}
            Content::Definitions => words.push("the schema only".into()),
            Content::Rows => words.push("the data only".into()),
        }
        if self.chosen.is_some() || self.excludes {
            words.push("some of its tables".into());
        }
        if let Some(limit) = self.limit.filter(|_| self.content != Content::Definitions) {
            words.push(format!("at most {limit} rows of a table"));
        }
        for name in &self.filtered {
            words.push(format!("some rows of table {:?}", String::from_utf8_lossy(name)));
        }
        self.is_part().then(|| words.join(", "))
    }

    /// Foreign keys whose parents may be missing, one sentence each.
    pub(crate) fn warnings(&self, schema: &Schema) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.is_part() || self.content == Content::Definitions {
            return warnings;
        }
        let names = tables(schema).map(|(table, _)| (table.name.to_ascii_lowercase(), table));
        let by_name: BTreeMap<Text, &Object> = names.collect();
        let lacks_rows = |parent: &Object| {
            self.limit.is_some() || self.filtered.iter().any(|name| *name == parent.name)
        };
        for (object, table) in tables(schema).filter(|(object, _)| self.has(object)) {
            for parent in &table.references {
                let found = by_name.get(&parent.to_ascii_lowercase());
                let Some(found) = found else { continue };
                let what = match self.has(found) {
                    false => "which is left out",
                    true if lacks_rows(found) => "of which rows are left out",
                    true => continue,
                };
                warnings.push(format!(
                    "table {:?} references {:?}, {what}: its foreign key may not hold",
                    String::from_utf8_lossy(&object.name),
                    String::from_utf8_lossy(&found.name)
                ));
            }
        }
        if self.content == Content::Rows {
            for (object, table) in tables(schema) {
                if table.flags.is_virtual && self.chosen.is_none() {
                    warnings.push(format!(
                        "virtual table {:?} is left out: its data can't be loaded without its definition",
                        String::from_utf8_lossy(&object.name)
                    ));
                }
            }
        }
        warnings
    }
}

fn content(value: &str) -> Result<Content, Error> {
    match value {
        "all" => Ok(Content::All),
        "schema" => Ok(Content::Definitions),
        "data" => Ok(Content::Rows),
        _ => Err(Error::InvalidOptions(format!(
            "there is no content {value:?}: use all, schema or data"
        ))),
    }
}

fn limit(value: &str) -> Result<u64, Error> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| {
        Error::InvalidOptions(format!("the limit {value:?} is not a number of rows"))
    })
}

/// Whether a name is one that SQLite keeps for itself.
fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
}

fn tables(schema: &Schema) -> impl Iterator<Item = (&Object, &crate::pipe::Table)> {
    schema.objects.iter().filter_map(|object| Some((object, object.table.as_ref()?)))
}

/// The shadow tables of a virtual table.
fn shadows_of<'a>(schema: &'a Schema, owner: &'a Object) -> impl Iterator<Item = &'a Object> {
    let belongs = move |object: &Object| {
        let start = object.name.get(..owner.name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(&owner.name))
            && object.name.get(owner.name.len()) == Some(&b'_')
    };
    tables(schema)
        .filter(move |(object, table)| table.flags.shadow && belongs(object))
        .map(|(object, _)| object)
}

/// The tables that a name or a pattern stands for. Names are compared as SQLite does: ASCII letters without regard to case.
/// What has a name exactly comes first, whatever its characters. A pattern leaves out what can't be `done`, and SQLite's own
/// tables.
fn tables_named(
    schema: &Schema,
    name: &str,
    done: &str,
    refusal: impl Fn(&Object) -> Option<&'static str>,
) -> Result<Vec<Text>, Error> {
    let refused =
        |why: &str| Err(Error::InvalidOptions(format!("table {name:?} can't be {done}: {why}")));
    let is_relation =
        |object: &&Object| matches!(object.kind, ObjectKind::Table | ObjectKind::View);
    let mut relations = schema.objects.iter().filter(is_relation);
    if let Some(object) =
        relations.clone().find(|object| object.name.eq_ignore_ascii_case(name.as_bytes()))
    {
        return match refusal(object) {
            Some(why) => refused(why),
            None => Ok(Vec::from([object.name.clone()])),
        };
    }
    if !name.contains(['*', '?']) {
        return refused("the database has no such table");
    }
    let mut found = Vec::new();
    for object in relations.by_ref() {
        let is_own = object.table.as_ref().is_some_and(|table| !table.flags.shadow)
            && !is_internal(&object.name);
        if is_own && matches(name.as_bytes(), &object.name) && refusal(object).is_none() {
            found.push(object.name.clone());
        }
    }
    if found.is_empty() { refused("the database has no table like it") } else { Ok(found) }
}

/// Whether a name is like a pattern, in which `*` stands for any characters and `?` for one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Behind the last star: what follows it, and the name from where that is tried.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        let after = match (pattern.split_first(), name) {
            (Some((b'*', rest)), _) => {
                star = Some((rest, name));
                pattern = rest;
                continue;
            }
            (None, []) => return true,
            (Some((b'?', rest)), [_, ..]) => Some((rest, after_character(name))),
            (Some((wanted, rest)), [found, more @ ..]) if wanted.eq_ignore_ascii_case(found) => {
                Some((rest, more))
            }
            _ => None,
        };
        match (after, &mut star) {
            (Some((rest, more)), _) => (pattern, name) = (rest, more),
            (None, Some((rest, from))) if !from.is_empty() => {
                *from = after_character(from);
                (pattern, name) = (rest, from);
            }
            (None, _) => return false,
        }
    }
}

/// What follows the first character of a text in UTF-8.
fn after_character(text: &[u8]) -> &[u8] {
    let rest = text.get(1..).unwrap_or_default();
    let more = rest.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
    &rest[more..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_like_names() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "users"),
            ("u*", "users"),
            ("*s", "users"),
            ("u*e*s", "users"),
            ("USER?", "users"),
            ("b?r", "bär"),
            ("*.*", "a.b"),
            ("a*b*c", "aXbXbXc"),
            ("[a]*", "[a]b"),
            ("%", "%"),
            ("tmp_*", "tmp_1"),
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("?", ""),
            ("user", "users"),
            ("u*x", "users"),
            ("tmp_*", "tmpX1"),
            ("users%", "users"),
            ("a*b*c", "aXbXb"),
            ("[ab]", "a"),
        ] {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_decided_at_once() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5000).as_bytes()));
    }
}
