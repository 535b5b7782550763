//! The export component's own code, compiled for this machine: one slice on one thread, without WebAssembly.
//!
//! It serves tables as the benchmarks have them: text in UTF-8, no value longer than a batch. It never goes on, so that
//! its positions say nothing.

use std::io::Write;

use anyhow::{Result, anyhow};
use partway_exporter::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Encoding, Object, ObjectKind, Options, Outcome,
    Pacing, Parts, PartsError, Position, Rows, RowsError, Schema, Table, TableFlags, Text, resume,
    start,
};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::floor::quoted;
use crate::statement::Statement;

/// The bound on a batch's cells, as Partway's host has it.
const MOST_CELLS: usize = 32_768;

/// Writes a dump.
pub fn export(connection: &Connection, output: impl Write) -> Result<()> {
    let rows = Tables(connection);
    let mut parts = Output(output);
    let options = Options {
        format: "sql".to_owned(),
        tables: Vec::new(),
        part_size: 256 * 1024,
        settings: Vec::new(),
    };
    let checkpoint = start(&rows, &options).map_err(failed)?;
    let budget = Budget { parts: u32::MAX };
    match resume(&rows, &mut parts, &Unpaced, &checkpoint, budget).map_err(failed)?.outcome {
        Outcome::Done(_) => Ok(()),
        Outcome::More(_) => Err(anyhow!("it ended before all was written")),
    }
}

fn failed(error: partway_exporter::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}

struct Unpaced;

impl Pacing for Unpaced {
    fn should_yield(&self) -> bool {
        false
    }
}

struct Output<W>(W);

impl<W: Write> Parts for Output<W> {
    fn write(&mut self, _: u32, bytes: &[u8]) -> Result<(), PartsError> {
        self.0.write_all(bytes).map_err(|error| PartsError::Failed(error.to_string()))
    }
}

struct Tables<'c>(&'c Connection);

impl<'c> Rows for Tables<'c> {
    type Cursor = Cursor<'c>;

    fn describe(&self) -> Result<Schema, RowsError> {
        schema(self.0).map_err(|error| RowsError::Failed(error.to_string()))
    }

    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        _: Option<&[u8]>,
    ) -> Result<Cursor<'c>, RowsError> {
        let names: Vec<String> =
            columns.iter().map(|name| quoted(&String::from_utf8_lossy(name))).collect();
        let table = quoted(&String::from_utf8_lossy(table));
        let sql = format!("SELECT {} FROM {table}", names.join(","));
        let rows = Statement::prepare(self.0, &sql)
            .map_err(|error| RowsError::Failed(error.to_string()))?;
        Ok(Cursor { rows, columns: columns.len() })
    }
}

struct Cursor<'c> {
    rows: Statement<'c>,
    columns: usize,
}

impl partway_exporter::Cursor for Cursor<'_> {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        let mut batch = Batch { kinds: Vec::with_capacity(MOST_CELLS), ..Batch::default() };
        while batch.kinds.len() + self.columns <= MOST_CELLS.max(self.columns)
            && batch.bytes.len() < max_bytes as usize
            && self.rows.step().map_err(|error| RowsError::Failed(error.to_string()))?
        {
            batch.rows += 1;
            for column in 0..self.columns {
                let (kind, bytes) = match self.rows.cell(column) {
                    ValueRef::Integer(value) => {
                        batch.kinds.push(1);
                        batch.integers.push(value);
                        continue;
                    }
                    ValueRef::Real(value) => {
                        batch.kinds.push(2);
                        batch.reals.push(value);
                        continue;
                    }
                    ValueRef::Null => {
                        batch.kinds.push(5);
                        continue;
                    }
                    ValueRef::Text(bytes) => (3, bytes),
                    ValueRef::Blob(bytes) => (4, bytes),
                };
                batch.kinds.push(kind);
                batch.lengths.push(bytes.len() as u32);
                batch.bytes.extend_from_slice(bytes);
            }
        }
        Ok(batch)
    }

    fn position(&self, _: u32) -> Result<Position, RowsError> {
        Ok(Position::new())
    }

    fn read(&mut self, _: u32, _: u32, _: u32, _: u32) -> Result<Vec<u8>, RowsError> {
        Err(RowsError::Failed("no value is that long here".to_owned()))
    }
}

fn schema(connection: &Connection) -> Result<Schema> {
    let mut objects = Vec::new();
    let mut entries =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid")?;
    let mut entries = entries.query([])?;
    while let Some(entry) = entries.next()? {
        let (kind, name): (String, String) = (entry.get(0)?, entry.get(1)?);
        let sql: Option<String> = entry.get(3)?;
        let kind = match kind.as_str() {
            "table" => ObjectKind::Table,
            "index" => ObjectKind::Index,
            "view" => ObjectKind::View,
            _ => ObjectKind::Trigger,
        };
        let table = (kind == ObjectKind::Table)
            .then(|| table(connection, &name, sql.as_deref().unwrap_or_default()))
            .transpose()?;
        objects.push(Object {
            kind,
            name: name.into(),
            on: entry.get::<_, String>(2)?.into(),
            sql: sql.map(String::into_bytes),
            table,
        });
    }
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get(0));
    Ok(Schema {
        encoding: Encoding::Utf8,
        user_version: number("PRAGMA user_version")?,
        application_id: number("PRAGMA application_id")?,
        page_size: number("PRAGMA page_size")? as u32,
        auto_vacuum: AutoVacuum::None,
        objects,
    })
}

fn table(connection: &Connection, name: &str, sql: &str) -> Result<Table> {
    let mut columns =
        connection.prepare("SELECT name, hidden, pk, type FROM pragma_table_xinfo(?1)")?;
    let columns: Vec<Column> = columns
        .query_map([name], |row| {
            Ok(Column {
                name: row.get::<_, String>(0)?.into(),
                declared_type: row.get::<_, String>(3)?.into(),
                kind: if row.get::<_, i64>(1)? == 0 {
                    ColumnKind::Ordinary
                } else {
                    ColumnKind::GeneratedVirtual
                },
                primary_key: row.get(2)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let without_rowid = sql.to_ascii_uppercase().contains("WITHOUT ROWID");
    let is_rowid = |column: &&Column| {
        column.primary_key == 1 && column.declared_type.eq_ignore_ascii_case(b"integer")
    };
    let is_single = columns.iter().filter(|column| column.primary_key > 0).count() == 1;
    let alias = columns.iter().find(is_rowid).filter(|_| is_single);
    let rowid = alias.map_or(b"rowid".to_vec(), |column| column.name.clone());
    Ok(Table {
        rowid: (!without_rowid).then_some(rowid),
        columns,
        references: Vec::new(),
        flags: TableFlags { without_rowid, ..TableFlags::default() },
        estimated_rows: None,
    })
}
