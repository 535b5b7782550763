//! Views, triggers, indexes and virtual tables that could tell what is left out.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::decisions::{Decisions, same, shown};
use crate::policy::Dependents;
use crate::tokens::tokens;
use partway_rows::{Object, ObjectKind, Schema};

/// Leaves out what belongs to tables that are left out, and, if the policy says so, what names a table of which not all
/// is kept. Otherwise that is an error.
pub(crate) fn leave_out(
    schema: &Schema,
    policy: Dependents,
    decisions: &mut Decisions<'_>,
) -> Result<(), String> {
    if !decisions.change_anything() {
        return Ok(());
    }
    // What is left out may be named by something else.
    while let Some(index) = next(schema, policy, decisions)? {
        decisions.left_out[index] = true;
    }
    Ok(())
}

/// One more object to leave out.
fn next(
    schema: &Schema,
    policy: Dependents,
    decisions: &Decisions<'_>,
) -> Result<Option<usize>, String> {
    let is_changed = |index: usize| decisions.left_out[index] || decisions.rules[index].is_some();
    let has_rows = |object: &Object| matches!(object.kind, ObjectKind::Table | ObjectKind::View);
    let objects = || schema.objects.iter().enumerate();
    let changed: BTreeSet<Vec<u8>> = objects()
        .filter(|(index, object)| is_changed(*index) && has_rows(object))
        .map(|(_, object)| object.name.to_ascii_lowercase())
        .collect();
    let is_gone = |name: &[u8]| {
        let mut tables = objects().filter(|(_, object)| has_rows(object));
        tables.any(|(index, object)| decisions.left_out[index] && same(&object.name, name))
    };
    for (index, object) in objects().filter(|(index, _)| !decisions.left_out[*index]) {
        let is_virtual = object.table.as_ref().is_some_and(|table| table.flags.is_virtual);
        let is_shadow = object.table.as_ref().is_some_and(|table| table.flags.shadow);
        let belongs = matches!(object.kind, ObjectKind::Index | ObjectKind::Trigger);
        let owner = decisions.owners[index].filter(|_| is_shadow);
        if belongs && is_gone(&object.on) || owner.is_some_and(|owner| decisions.left_out[owner]) {
            return Ok(Some(index));
        }
        if !is_virtual && !matches!(object.kind, ObjectKind::View | ObjectKind::Trigger) {
            continue;
        }
        let Some(name) = named_by(object, &changed) else { continue };
        if policy == Dependents::Refuse {
            return Err(refusal(object, &format!("it names {name}")));
        }
        return Ok(Some(index));
    }
    Ok(None)
}

/// The first of these names that an object's SQL has anywhere, outside of comments.
fn named_by(object: &Object, names: &BTreeSet<Vec<u8>>) -> Option<String> {
    let sql = object.sql.as_deref().unwrap_or_default();
    // What can't be read may name anything.
    let Some(tokens) = tokens(sql) else { return Some("what can't be told".into()) };
    let found = tokens.iter().filter_map(|token| token.name());
    let mut found = found.filter(|name| names.contains(&name.to_ascii_lowercase()));
    found.next().map(|name| shown(&name))
}

/// The message for an object that may not pass.
pub(crate) fn refusal(object: &Object, why: &str) -> String {
    let kind = match object.kind {
        ObjectKind::Table => "table",
        ObjectKind::Index => "index",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
    };
    format!(
        "{kind} {} could tell what is left out, since {why}: name it under leave_out, or set dependents to \
         \"leave-out\" to leave out everything of this kind",
        shown(&object.name)
    )
}
