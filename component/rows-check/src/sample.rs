//! What the database that `sample.sql` makes must look like.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::bindings::partway::pipe::rows::{
    AutoVacuum, ColumnKind, Encoding, Object, ObjectKind, Schema, Table, TableFlags,
};
use crate::cell::{Cell, difference};
use crate::reading::Scan;
use crate::report::Report;

/// Checks the schema, then the rows of every table.
pub fn check(report: &mut Report, schema: &Schema) {
    let header = (schema.user_version, schema.application_id, schema.page_size);
    let is_header = header == (7, -5, 8192)
        && schema.auto_vacuum == AutoVacuum::Incremental
        && schema.encoding == Encoding::Utf8;
    report.expect("sample-schema", is_header, || {
        let Schema { encoding, auto_vacuum, .. } = schema;
        format!("the header's values are {header:?} {auto_vacuum:?} {encoding:?}")
    });
    let kinds: Vec<_> = [
        ("numbers", ObjectKind::Table),
        ("texts", ObjectKind::Table),
        ("longs", ObjectKind::Table),
        ("keys", ObjectKind::Table),
        ("gaps", ObjectKind::Table),
        ("no_alias", ObjectKind::Table),
        ("sqlite_autoindex_no_alias_1", ObjectKind::Index),
        ("hidden", ObjectKind::Table),
        ("generated", ObjectKind::Table),
        ("strict_any", ObjectKind::Table),
        ("odd \"name; it's", ObjectKind::Table),
        ("empty", ObjectKind::Table),
        ("many", ObjectKind::Table),
        ("parent", ObjectKind::Table),
        ("child", ObjectKind::Table),
        ("child_p", ObjectKind::Index),
        ("seen", ObjectKind::View),
        ("fired", ObjectKind::Trigger),
    ]
    .into();
    let found: Vec<_> = schema
        .objects
        .iter()
        .map(|object| (String::from_utf8_lossy(&object.name), object.kind))
        .collect();
    let is_same = kinds.len() == found.len()
        && kinds.iter().zip(&found).all(|(one, other)| (one.0, one.1) == (&*other.0, other.1));
    report.expect("sample-schema", is_same, || {
        format!("the objects, in the order of the schema table, are {found:?}")
    });
    sql(report, schema);
    details(report, schema);
    values(report, schema);
}

fn find<'a>(schema: &'a Schema, name: &str) -> Option<&'a Object> {
    schema.objects.iter().find(|object| object.name == name.as_bytes())
}

fn sql(report: &mut Report, schema: &Schema) {
    for (name, on, sql) in [
        ("empty", "empty", Some("CREATE TABLE empty (a)")),
        ("sqlite_autoindex_no_alias_1", "no_alias", None),
        ("child_p", "child", Some("CREATE INDEX child_p ON child (p)")),
        ("seen", "seen", Some("CREATE VIEW seen AS SELECT a FROM texts")),
        (
            "fired",
            "parent",
            Some("CREATE TRIGGER fired AFTER INSERT ON parent BEGIN SELECT 1; END"),
        ),
        (
            "generated",
            "generated",
            Some("CREATE TABLE generated (a INTEGER, v AS (a * 2), s TEXT AS ('s' || a) STORED)"),
        ),
    ] {
        let is_same = find(schema, name).is_some_and(|object| {
            object.on == on.as_bytes() && object.sql.as_deref() == sql.map(str::as_bytes)
        });
        report
            .expect("sample-schema", is_same, || format!("{name}: `on` or `sql` is not as stored"));
    }
}

fn details(report: &mut Report, schema: &Schema) {
    let none = TableFlags::empty();
    for (name, rowid, flags) in [
        ("numbers", Some("id"), none),
        ("keys", None, TableFlags::WITHOUT_ROWID),
        ("gaps", Some("_rowid_"), none),
        ("no_alias", Some("rowid"), none),
        ("hidden", None, none),
        ("strict_any", Some("rowid"), TableFlags::STRICT),
    ] {
        let table = find(schema, name).and_then(|object| object.table.as_ref());
        let is_same = table.is_some_and(|table| {
            table.rowid.as_deref() == rowid.map(str::as_bytes) && table.flags == flags
        });
        report
            .expect("sample-schema", is_same, || format!("{name}: its rowid's name or its flags"));
    }
    let kinds = [ColumnKind::Ordinary, ColumnKind::GeneratedVirtual, ColumnKind::GeneratedStored];
    columns(
        report,
        schema,
        "generated",
        &[("a", "INTEGER", 0), ("v", "", 0), ("s", "TEXT", 0)],
        &kinds,
    );
    let columns_of_key = [("k", "TEXT", 1), ("n", "", 2), ("v", "", 0)];
    columns(report, schema, "keys", &columns_of_key, &[ColumnKind::Ordinary; 3]);
    let mut references = find(schema, "child")
        .and_then(|object| object.table.as_ref())
        .map(|table| table.references.clone())
        .unwrap_or_default();
    references.sort();
    let is_same = references == ["child", "missing", "parent"].map(|name| name.as_bytes().to_vec());
    report.expect("sample-schema", is_same, || "child: the tables that it references".to_string());
}

fn columns(
    report: &mut Report,
    schema: &Schema,
    name: &str,
    expected: &[(&str, &str, u32)],
    kinds: &[ColumnKind],
) {
    let is_same = |table: &Table| {
        table.columns.len() == expected.len()
            && table.columns.iter().zip(expected).zip(kinds).all(|((column, expected), kind)| {
                let found = (&column.name[..], &column.declared_type[..], column.primary_key);
                found == (expected.0.as_bytes(), expected.1.as_bytes(), expected.2)
                    && column.kind == *kind
            })
    };
    let table = find(schema, name).and_then(|object| object.table.as_ref());
    report.expect("sample-schema", table.is_some_and(is_same), || format!("{name}: its columns"));
}

fn values(report: &mut Report, schema: &Schema) {
    for (name, columns, rows) in tables() {
        let columns: Vec<Vec<u8>> =
            columns.iter().map(|column| column.as_bytes().to_vec()).collect();
        let Some(object) = find(schema, name) else { continue };
        let opened = Scan::open(report, name, &object.name, &columns, None, 65_536);
        let Some(found) = opened.and_then(|mut scan| scan.read(report, None)) else { continue };
        let expected = rows.len();
        report.expect("sample-values", found.len() == expected, || {
            format!("{name}: {expected} rows expected, {} found", found.len())
        });
        for (number, (expected, found)) in rows.iter().zip(&found).enumerate() {
            if let Some(differs) = difference(expected, &found.cells) {
                report.fail("sample-values", format!("{name}, row {number}: {differs}"));
            }
        }
    }
}

fn int(value: i64) -> Cell {
    Cell::Integer(value)
}

fn real(value: f64) -> Cell {
    Cell::Float(value.to_bits())
}

fn text(value: impl AsRef<[u8]>) -> Cell {
    Cell::Text(value.as_ref().to_vec())
}

fn blob(value: impl AsRef<[u8]>) -> Cell {
    Cell::Blob(value.as_ref().to_vec())
}

type Expected = (&'static str, &'static [&'static str], Vec<Vec<Cell>>);

/// Each table's name, its columns and its rows.
fn tables() -> Vec<Expected> {
    let null = || Cell::Null;
    let zeros = |length: usize| blob(vec![0; length]);
    let numbers = vec![
        vec![int(i64::MIN), int(i64::MAX), real(f64::INFINITY), text("1")],
        vec![int(-1), int(i64::MIN), real(f64::NEG_INFINITY), text("1.5")],
        vec![int(0), int(9_007_199_254_740_993), real(5e-324), null()],
        vec![int(1), real(1.0), real(1.0), text("")],
        vec![int(2), real(-0.0), real(0.0), blob([])],
        vec![int(i64::MAX), real(0.1), real(1e23), blob([0])],
    ];
    let texts: [&[u8]; 9] = [
        b"plain",
        b"",
        b"a\0b",
        b"\xff",
        b"\xed\xa0\x80",
        "é😀".as_bytes(),
        "\u{feff}x".as_bytes(),
        b"line\r\n",
        b"it's \"quoted\"",
    ];
    let longs = vec![
        vec![int(1), text("ab".repeat(50_000)), text("short"), zeros(70_000)],
        vec![int(2), text("short"), text("é".repeat(20_000)), text("end")],
        vec![int(3), zeros(65_536), text("x"), text("y")],
        vec![int(4), zeros(65_537), text("x"), text("y")],
        vec![int(5), zeros(40_000), zeros(40_000), text("z")],
    ];
    let keys = vec![
        vec![text(b"\xff"), int(1), text("nine")],
        vec![text("c"), int(9_007_199_254_740_992), text("eight")],
        vec![text("C"), int(9_007_199_254_740_993), text("seven")],
        vec![text("b"), real(1.5), text("three")],
        vec![text("B"), int(2), text("two")],
        vec![text("b"), text("text"), text("four")],
        vec![text("b"), blob([0]), text("five")],
        vec![text("a"), int(1), text("one")],
        vec![text(""), int(-1), text("six")],
    ];
    let many = (1..=1500).map(|row| vec![int(3 * row), text(format!("row {row}"))]).collect();
    vec![
        ("numbers", &["id", "a", "r", "t"], numbers),
        ("texts", &["a"], texts.iter().map(|bytes| vec![text(bytes)]).collect()),
        ("longs", &["id", "a", "b", "c"], longs),
        ("keys", &["k", "n", "v"], keys),
        (
            "gaps",
            &["_rowid_", "rowid", "oid"],
            vec![
                vec![int(-5), text("a"), text("b")],
                vec![int(7), text("c"), text("d")],
                vec![int(4_611_686_018_427_387_904), text("e"), text("f")],
            ],
        ),
        (
            "no_alias",
            &["rowid", "id"],
            vec![vec![int(1), int(30)], vec![int(2), int(10)], vec![int(3), int(20)]],
        ),
        (
            "hidden",
            &["rowid", "_rowid_", "oid"],
            vec![
                vec![int(3), text("c"), int(1)],
                vec![int(2), text("b"), int(2)],
                vec![int(1), text("a"), int(3)],
            ],
        ),
        (
            "generated",
            &["a", "v", "s"],
            vec![vec![int(1), int(2), text("s1")], vec![int(2), int(4), text("s2")]],
        ),
        (
            "strict_any",
            &["a", "i"],
            vec![vec![text("1"), int(1)], vec![int(1), int(2)], vec![real(1.0), int(3)]],
        ),
        ("odd \"name; it's", &["a b", "ä", "select"], vec![vec![int(1), int(2), int(3)]]),
        ("empty", &["a"], vec![]),
        ("many", &["id", "v"], many),
    ]
}
