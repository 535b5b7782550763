//! The steps of a dump for a Durable Object or D1, tested against workerd 1.20260426.
//!
//! There a text given to `sql.exec` may have 100,000 bytes. It may hold no transaction of its own, create no
//! temporary table and not write the schema table. Foreign keys are enforced, and no header number can be
//! set.

use alloc::format;
use alloc::vec::Vec;

use super::name::write_name;
use super::plan_builder::PlanBuilder;
use super::schema_text::open_comment;
use crate::pipe::{ColumnKind, Error, Object, ObjectKind, Schema, Table, Text};
use crate::subset::Content;
use crate::tables::{is_internal, quoted_name};

/// The longest text for one call of `sql.exec`.
const MAX_STATEMENT_BYTES: usize = 100_000;

/// Why a definition is left out.
const TOO_LONG: &str = "its definition is longer than the 100,000 bytes that target d1 takes";

/// The most columns of a table.
const MAX_COLUMNS: usize = 100;

/// Plans the dump. `counters`: of which tables it has the counters, where not all tables were chosen.
///
/// All tables first, each with its unique indexes, which foreign keys need; then rows, a table's after those
/// of the tables it refers to. Where tables refer to each other in a circle, or a table to itself, the rows
/// must load within one transaction: the checks wait for its end.
pub(super) fn write(
    plan: &mut PlanBuilder,
    schema: &Schema,
    objects: &[&Object],
    counters: Option<&[Text]>,
) -> Result<(), Error> {
    header(plan, schema);
    let tables = tables(plan, objects);
    let has = |object: &&&Object| {
        tables.iter().any(|(table, _)| table.name.eq_ignore_ascii_case(&object.on))
    };
    plan.line(b"PRAGMA defer_foreign_keys=TRUE;");
    plan.line(b"PRAGMA ignore_check_constraints=ON;");
    let create = plan.scratch.create();
    plan.text(create.as_bytes());
    let indexes = || objects.iter().filter(|object| object.kind == ObjectKind::Index).filter(has);
    create_tables(plan, &tables, indexes().filter(|index| is_unique(index)));
    for (object, table) in parents_first(&tables) {
        if table.flags.is_virtual {
            full_text(plan, objects, object, table);
        } else {
            plan.rows(object, table)?;
        }
    }
    internal(plan, objects, b"sqlite_sequence", "")?;
    plan.counters(schema, counters.unwrap_or_default())?;
    for index in indexes().filter(|index| !is_unique(index)) {
        definition(plan, index);
    }
    views_and_triggers(plan, objects, &tables);
    // ANALYZE creates the table; its rows are replaced.
    internal(plan, objects, b"sqlite_stat1", "ANALYZE sqlite_schema;\n")?;
    let drop = plan.scratch.drop();
    plan.text(drop.as_bytes());
    plan.line(b"PRAGMA ignore_check_constraints=OFF;");
    plan.end_mark();
    // A text that ends with a comment is rejected.
    plan.line(b"SELECT 1;");
    Ok(())
}

/// Reports what of the database's header the target can't hold.
fn header(plan: &mut PlanBuilder, schema: &Schema) {
    for (pragma, value) in
        [("user_version", schema.user_version), ("application_id", schema.application_id)]
    {
        if value != 0 {
            plan.warn(format!("{pragma} {value} is not in the dump: target d1 can't set it"));
        }
    }
}

/// The definitions of tables, each with its unique indexes.
fn create_tables<'a>(
    plan: &mut PlanBuilder,
    tables: &[(&Object, &Table)],
    unique_indexes: impl Iterator<Item = &'a &'a Object> + Clone,
) {
    for (object, table) in tables {
        if table.columns.len() > MAX_COLUMNS {
            plan.warn(format!(
                "table {} has more than {MAX_COLUMNS} columns: target d1 will reject it",
                quoted_name(&object.name)
            ));
        }
        definition(plan, object);
        let own = |index: &&&Object| index.on.eq_ignore_ascii_case(&object.name);
        for index in unique_indexes.clone().filter(own) {
            definition(plan, index);
        }
    }
}

/// The rows of a table that SQLite keeps for itself. The statement `make` creates the table where it may be
/// missing.
fn internal(
    plan: &mut PlanBuilder,
    objects: &[&Object],
    name: &[u8],
    make: &str,
) -> Result<(), Error> {
    let found = objects.iter().find(|object| object.name.eq_ignore_ascii_case(name));
    if let Some(object) = found
        && let Some(table) = &object.table
    {
        plan.text(make.as_bytes());
        plan.line(&[b"DELETE FROM ", name, b";"].concat());
        plan.rows(object, table)?;
    }
    Ok(())
}

/// The tables that the target can hold.
fn tables<'a>(plan: &mut PlanBuilder, objects: &[&'a Object]) -> Vec<(&'a Object, &'a Table)> {
    let all = || objects.iter().filter_map(|object| Some((*object, object.table.as_ref()?)));
    let is_virtual = |table: &Table| table.flags.is_virtual;
    let mut tables = Vec::new();
    for (object, table) in all() {
        let is_shadow = table.flags.shadow
            && all().any(|(owner, table)| is_virtual(table) && is_shadow_of(object, owner));
        if is_internal(&object.name) || is_shadow || object.sql.is_none() {
            continue;
        }
        let refusal = if object.name.to_ascii_lowercase().starts_with(b"_cf_") {
            "target d1 reserves names that begin with _cf_"
        } else if is_too_long(object) {
            TOO_LONG
        } else if is_virtual(table) && !is_full_text(object) {
            "target d1 supports no virtual tables other than fts5"
        } else {
            tables.push((object, table));
            continue;
        };
        plan.warn(format!("table {} is left out: {refusal}", quoted_name(&object.name)));
    }
    tables
}

fn is_shadow_of(table: &Object, owner: &Object) -> bool {
    let rest =
        table.name.get(..owner.name.len()).filter(|start| start.eq_ignore_ascii_case(&owner.name));
    rest.is_some() && table.name.get(owner.name.len()) == Some(&b'_')
}

fn is_unique(index: &Object) -> bool {
    index.sql.as_ref().is_some_and(|sql| sql.starts_with(b"CREATE UNIQUE "))
}

fn is_full_text(object: &Object) -> bool {
    let sql = object.sql.as_deref().unwrap_or_default().to_ascii_lowercase();
    let words: Vec<&[u8]> =
        sql.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| pair == [b"using", &b"fts5"[..]])
}

/// The views, and the triggers of what is in the dump.
fn views_and_triggers(plan: &mut PlanBuilder, objects: &[&Object], tables: &[(&Object, &Table)]) {
    let of = |kind| objects.iter().filter(move |object| object.kind == kind);
    let mut made: Vec<&Text> = tables.iter().map(|(table, _)| &table.name).collect();
    for view in of(ObjectKind::View) {
        if definition(plan, view) {
            made.push(&view.name);
        }
    }
    for trigger in of(ObjectKind::Trigger) {
        if made.iter().any(|name| name.eq_ignore_ascii_case(&trigger.on)) {
            definition(plan, trigger);
        } else {
            plan.warn(format!(
                "trigger {} is left out, as {} is",
                quoted_name(&trigger.name),
                quoted_name(&trigger.on)
            ));
        }
    }
}

/// Whether the target would not take an object's definition.
fn is_too_long(object: &Object) -> bool {
    // With the end of an open comment, a semicolon and a line's end.
    object.sql.as_ref().is_some_and(|sql| sql.len() + 4 > MAX_STATEMENT_BYTES)
}

/// The definition as stored, with an end for a comment that is still open. False: it is left out.
fn definition(plan: &mut PlanBuilder, object: &Object) -> bool {
    let Some(sql) = object.sql.as_ref().filter(|_| plan.content() != Content::Rows) else {
        return false;
    };
    if is_too_long(object) {
        plan.warn(format!("{} is left out: {TOO_LONG}", quoted_name(&object.name)));
        return false;
    }
    plan.text(sql);
    plan.text(open_comment(sql));
    plan.line(b";");
    true
}

/// Each table after those it refers to, except in circles.
fn parents_first<'a>(tables: &[(&'a Object, &'a Table)]) -> Vec<(&'a Object, &'a Table)> {
    let mut left = tables.to_vec();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |(object, table): &(&Object, &Table)| {
            // The rows that a full-text index is rebuilt from must be there first.
            table.flags.is_virtual && left.iter().any(|(_, other)| !other.flags.is_virtual)
                || table.references.iter().any(|parent| {
                    !parent.eq_ignore_ascii_case(&object.name)
                        && left.iter().any(|(other, _)| other.name.eq_ignore_ascii_case(parent))
                })
        };
        let next = left.iter().position(|entry| !waits(entry)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// The content of an fts5 table: its rows, or the command to rebuild its index from another table's rows.
fn full_text(plan: &mut PlanBuilder, objects: &[&Object], object: &Object, table: &Table) {
    let content = [&object.name[..], b"_content"].concat();
    let names = table.columns.iter().filter(|column| column.kind == ColumnKind::Ordinary);
    let names: Vec<Text> = names.map(|column| column.name.clone()).collect();
    let stored = objects.iter().find(|other| other.name.eq_ignore_ascii_case(&content));
    if let Some(stored) = stored {
        let columns = (0..names.len()).map(|number| format!("c{number}").into_bytes());
        let columns = core::iter::once(b"id".to_vec()).chain(columns).collect();
        let names: Vec<Text> = core::iter::once(b"rowid".to_vec()).chain(names).collect();
        return plan.rows_into(&stored.name, columns, &object.name, &names);
    }
    let sql = object.sql.as_deref().unwrap_or_default();
    let sql: Vec<u8> = sql.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let is_contentless =
        [&b"content=''"[..], b"content=\"\""].iter().any(|no| sql.windows(10).any(|at| at == *no));
    if is_contentless {
        plan.warn(format!(
            "the rows of {} can't be exported: an fts5 table without content keeps only its index",
            quoted_name(&object.name)
        ));
    } else {
        let mut text = b"REPLACE INTO ".to_vec();
        write_name(&mut text, &object.name);
        text.push(b'(');
        write_name(&mut text, &object.name);
        text.extend_from_slice(b") VALUES('rebuild');");
        plan.line(&text);
    }
}
