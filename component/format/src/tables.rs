//! Tables of a schema, found by their names or patterns.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Error, Object, ObjectKind, Schema, Table, Text};

/// Whether a name is one that SQLite keeps for itself.
pub fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
}

/// A name, in quotes, for messages.
pub fn quoted_name(name: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(name))
}

/// The tables, virtual ones too.
pub fn tables(schema: &Schema) -> impl Iterator<Item = (&Object, &Table)> {
    schema.objects.iter().filter_map(|object| Some((object, object.table.as_ref()?)))
}

/// The shadow tables of a virtual table.
pub fn shadows_of<'a>(schema: &'a Schema, owner: &'a Object) -> impl Iterator<Item = &'a Object> {
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
pub fn tables_named(
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
