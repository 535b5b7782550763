//! What holds for any schema, and what errors say.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::bindings::partway::pipe::rows::{
    ColumnKind, Error, Object, ObjectKind, Schema, Table, TableFlags, describe, scan,
};
use crate::reading::error_text;
use crate::report::Report;
use crate::table_rules;

/// What a host must accept.
const CURSORS: usize = 64;

/// Checks the schema, then every table; the schema, unless there is none.
pub fn check(report: &mut Report) -> Option<Schema> {
    let schema = match describe() {
        Ok(schema) => schema,
        Err(error) => {
            report.fail("describe-returns", error_text(&error));
            return None;
        }
    };
    let again = describe().map(|again| fingerprint(&again));
    let is_same = again.is_ok_and(|again| again == fingerprint(&schema));
    report.expect("describe-repeats", is_same, || "another call gives another schema".into());
    for object in &schema.objects {
        let name = String::from_utf8_lossy(&object.name).into_owned();
        let is_table = object.kind == ObjectKind::Table;
        let text = || format!("{name}: details belong to tables, and every table has them");
        report.expect("schema-tables", is_table == object.table.is_some(), text);
        if let Some(table) = &object.table {
            check_table(report, &name, object, table);
        }
    }
    unknown(report);
    cursors(report, &schema);
    Some(schema)
}

fn check_table(report: &mut Report, name: &str, object: &Object, table: &Table) {
    let is_virtual = table.flags.contains(TableFlags::VIRTUAL);
    report.expect("schema-tables", object.on == object.name, || {
        format!("{name}: `on` is another name")
    });
    let has_columns = is_virtual || !table.columns.is_empty();
    if !report.expect("schema-tables", has_columns, || format!("{name}: it has no columns")) {
        return;
    }
    let may_have_rowid = !is_virtual && !table.flags.contains(TableFlags::WITHOUT_ROWID);
    report.expect("schema-rowid", may_have_rowid || table.rowid.is_none(), || {
        format!("{name}: it has no rowid, but a name of one")
    });
    let mut key: Vec<u32> = table.columns.iter().map(|column| column.primary_key).collect();
    key.retain(|place| *place > 0);
    key.sort_unstable();
    key.dedup();
    let is_counted = key.iter().enumerate().all(|(index, place)| *place as usize == index + 1);
    report.expect("schema-tables", is_counted, || {
        format!("{name}: the places in its primary key do not count from 1")
    });
    report.tables += 1;
    if is_virtual {
        // A scan asks for at least one column, and nobody may know any.
        if table.columns.is_empty() {
            return;
        }
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
        let opened = scan(&object.name, &columns, None).err();
        let is_named = matches!(opened, Some(Error::Unavailable(_)));
        report
            .expect("errors", is_named, || format!("{name}: a virtual table is not `unavailable`"));
        return;
    }
    let visible = table.columns.iter().filter(|column| column.kind != ColumnKind::Hidden);
    let mut columns: Vec<_> = visible.map(|column| column.name.clone()).collect();
    if let Some(rowid) = &table.rowid
        && !columns.contains(rowid)
    {
        columns.push(rowid.clone());
    }
    let rowid =
        table.rowid.as_ref().and_then(|rowid| columns.iter().position(|name| name == rowid));
    table_rules::check(report, name, &object.name, &columns, rowid);
    let missing = [&columns[0][..], b" that is missing"].concat();
    let error = scan(&object.name, &[missing], None).err();
    report.expect("errors", matches!(error, Some(Error::UnknownColumn(_))), || {
        format!("{name}: a column that is missing is not an `unknown-column`")
    });
    let error = scan(&object.name, &columns, Some(&[0xff; 9])).err();
    report.expect("errors", matches!(error, Some(Error::InvalidPosition(_))), || {
        format!("{name}: nine bytes of 255 are not an `invalid-position`")
    });
}

fn unknown(report: &mut Report) {
    let error = scan(&b"a table that is missing".to_vec(), &[b"a".to_vec()], None).err();
    report.expect("errors", matches!(error, Some(Error::UnknownTable(_))), || {
        "a table that is missing is not an `unknown-table`".into()
    });
}

/// As many cursors as a host must accept, open at once.
fn cursors(report: &mut Report, schema: &Schema) {
    let first = schema.objects.iter().find_map(|object| {
        let table = object.table.as_ref()?;
        let column = table.columns.first().filter(|column| column.kind != ColumnKind::Hidden)?;
        let is_virtual = table.flags.contains(TableFlags::VIRTUAL);
        (!is_virtual).then(|| (&object.name, vec![column.name.clone()]))
    });
    let Some((table, columns)) = first else { return };
    let mut open = Vec::new();
    for number in 1..=CURSORS {
        match scan(table, &columns, None) {
            Ok(cursor) => open.push(cursor),
            Err(error) => {
                let text = format!("cursor {number} can't be opened: {}", error_text(&error));
                return report.fail("cursors", text);
            }
        }
    }
    let counts: Vec<_> =
        open.iter().map(|cursor| cursor.next(4096).ok().map(|batch| batch.rows > 0)).collect();
    let is_same = counts.iter().all(|count| count.is_some() && *count == counts[0]);
    report.expect("cursors", is_same, || format!("{CURSORS} open cursors return different rows"));
}

/// All of a schema but its estimates.
fn fingerprint(schema: &Schema) -> String {
    let mut text = format!(
        "{:?} {} {} {} {:?}",
        schema.encoding,
        schema.user_version,
        schema.application_id,
        schema.page_size,
        schema.auto_vacuum
    );
    for object in &schema.objects {
        let Object { kind, name, on, sql, table } = object;
        text += &format!("\n{kind:?} {name:?} {on:?} {sql:?}");
        if let Some(table) = table {
            let Table { columns, rowid, references, flags, .. } = table;
            text += &format!(" {columns:?} {rowid:?} {references:?} {flags:?}");
        }
    }
    text
}
