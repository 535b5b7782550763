//! The steps of a dump for the stock `sqlite3` program, which restores the database as it was.

use alloc::format;
use alloc::vec::Vec;

use super::plan_builder::PlanBuilder;
use super::text::write_text_literal;
use crate::pipe::{AutoVacuum, Encoding, Error, Object, ObjectKind, Schema, Text};
use crate::subset::Content;
use crate::tables::{is_internal, quoted_name};

/// SQLite's page size for a new database.
const DEFAULT_PAGE_SIZE: u32 = 4096;

/// Plans the dump. `counters`: of which tables it has the counters, where not all tables were chosen.
///
/// First each table with its rows; then the tables that SQLite keeps for itself; then indexes, which are
/// built faster once the rows are there; then views, and triggers, which must not fire; and virtual tables
/// last, as entries of the schema table, since creating them would create their shadow tables once more.
pub(super) fn write(
    plan: &mut PlanBuilder,
    schema: &Schema,
    objects: &[&Object],
    counters: Option<&[Text]>,
) -> Result<(), Error> {
    plan.line(b"PRAGMA foreign_keys=OFF;");
    // Rows may be older than a constraint, or inserted with constraints off.
    plan.line(b"PRAGMA ignore_check_constraints=ON;");
    let is_for_new = plan.content() != Content::Rows;
    if is_for_new {
        layout(plan, schema);
    }
    plan.line(b"BEGIN TRANSACTION;");
    for (pragma, value) in
        [("user_version", schema.user_version), ("application_id", schema.application_id)]
    {
        if value != 0 && is_for_new {
            plan.line(format!("PRAGMA {pragma}={value};").as_bytes());
        }
    }
    for object in objects {
        if let (Some(table), Some(sql)) = (&object.table, &object.sql)
            && !is_internal(&object.name)
            && !table.flags.is_virtual
        {
            plan.definition(object, sql);
            plan.rows(object, table)?;
        }
    }
    for object in objects {
        internal(plan, object)?;
    }
    plan.counters(schema, counters.unwrap_or_default())?;
    for kind in [ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger] {
        for object in objects.iter().filter(|object| object.kind == kind) {
            if let Some(sql) = &object.sql {
                plan.definition(object, sql);
            }
        }
    }
    virtual_tables(plan, objects);
    plan.line(b"COMMIT;");
    plan.end_mark();
    Ok(())
}

/// How the new database lays out what it stores. This takes effect only before the first table is made, and not within a
/// transaction.
fn layout(plan: &mut PlanBuilder, schema: &Schema) {
    match schema.encoding {
        Encoding::Utf8 => plan.line(b"PRAGMA encoding='UTF-8';"),
        Encoding::Utf16le => plan.line(b"PRAGMA encoding='UTF-16le';"),
        Encoding::Utf16be => plan.line(b"PRAGMA encoding='UTF-16be';"),
    }
    if schema.page_size != DEFAULT_PAGE_SIZE {
        plan.line(format!("PRAGMA page_size={};", schema.page_size).as_bytes());
    }
    match schema.auto_vacuum {
        AutoVacuum::None => {}
        AutoVacuum::Full => plan.line(b"PRAGMA auto_vacuum=FULL;"),
        AutoVacuum::Incremental => plan.line(b"PRAGMA auto_vacuum=INCREMENTAL;"),
    }
}

/// A table that SQLite keeps for itself: sequences and statistics. Such a name is refused unless the schema
/// is writable, and `sqlite_sequence` exists already if a table has AUTOINCREMENT.
fn internal(plan: &mut PlanBuilder, object: &Object) -> Result<(), Error> {
    let (Some(table), Some(sql)) = (&object.table, &object.sql) else { return Ok(()) };
    if is_internal(&object.name) {
        plan.line(b"PRAGMA writable_schema=ON;");
        plan.text(b"CREATE TABLE IF NOT EXISTS ");
        plan.text(sql.strip_prefix(b"CREATE TABLE ").unwrap_or(sql));
        plan.line(b";");
        plan.line(b"PRAGMA writable_schema=OFF;");
        // Filling the tables has put their largest rowids into it.
        if object.name.eq_ignore_ascii_case(b"sqlite_sequence") {
            plan.line(b"DELETE FROM sqlite_sequence;");
        }
        plan.rows(object, table)?;
    }
    Ok(())
}

fn virtual_tables(plan: &mut PlanBuilder, objects: &[&Object]) {
    let is_virtual = |object: &&&Object| {
        object.sql.is_some() && object.table.as_ref().is_some_and(|table| table.flags.is_virtual)
    };
    let tables: Vec<_> = objects.iter().filter(is_virtual).collect();
    if tables.is_empty() {
        return;
    }
    if plan.content() == Content::Definitions {
        // Each makes its shadow tables anew.
        for object in tables {
            plan.definition(object, object.sql.as_deref().unwrap_or_default());
        }
        return;
    }
    plan.line(b"PRAGMA writable_schema=ON;");
    for object in tables {
        if object.table.as_ref().is_some_and(|table| table.columns.is_empty()) {
            plan.warn(format!(
                "virtual table {} can't be opened because its module is missing here: its definition and its \
                 shadow tables are exported",
                quoted_name(&object.name)
            ));
        }
        let mut text =
            b"INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES('table',".to_vec();
        for value in [&object.name, &object.on] {
            write_text_literal(&mut text, value);
            text.push(b',');
        }
        text.extend_from_slice(b"0,");
        write_text_literal(&mut text, object.sql.as_deref().unwrap_or_default());
        text.extend_from_slice(b");");
        plan.line(&text);
    }
    plan.line(b"PRAGMA writable_schema=OFF;");
}
