//! The schema of a database of one table, for the tests and the benchmarks.

use partway_exporter::{
    AutoVacuum, Column, ColumnKind, Encoding, Object, ObjectKind, Schema, Table, TableFlags,
};

/// A WITHOUT ROWID table `t` with these columns, made by this SQL.
pub fn one_table(columns: impl IntoIterator<Item = String>, sql: &str) -> Schema {
    let column = |name: String| Column {
        name: name.into(),
        declared_type: Vec::new(),
        kind: ColumnKind::Ordinary,
        primary_key: 0,
    };
    let table = Table {
        columns: columns.into_iter().map(column).collect(),
        rowid: None,
        references: Vec::new(),
        flags: TableFlags { without_rowid: true, ..TableFlags::default() },
        estimated_rows: None,
    };
    let object = Object {
        kind: ObjectKind::Table,
        name: b"t".to_vec(),
        on: b"t".to_vec(),
        sql: Some(sql.into()),
        table: Some(table),
    };
    Schema {
        encoding: Encoding::Utf8,
        user_version: 0,
        application_id: 0,
        page_size: 4096,
        auto_vacuum: AutoVacuum::None,
        objects: vec![object],
    }
}
