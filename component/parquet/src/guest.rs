//! The bindings: the WIT package's imports as [`Rows`], [`Parts`] and [`Pacing`], and its export as calls
//! of [`start`](crate::start) and [`resume`](crate::resume). Built for wasm only.

use alloc::string::String;
use alloc::vec::Vec;

use crate::slice;
use bindings::exports::partway::pipe::exporter;
use bindings::partway::pipe::{pacing, parts, rows};
use partway_format::pipe::{
    self, AutoVacuum, Batch, Budget, Column, ColumnKind, Encoding, Error, Object, ObjectKind,
    Options, Outcome, PartsError, Position, Progress, Rows, RowsError, Schema, Table, TableFlags,
    Text,
};

mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "wit",
        world: "export-component",
    });
    use super::Exporter;
    export!(Exporter);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a fault of this component: trap, and let the host name it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Exporter;

impl exporter::Guest for Exporter {
    fn start(options: exporter::Options) -> Result<String, exporter::Error> {
        let options = Options {
            format: options.format,
            tables: options.tables,
            part_size: options.part_size,
            settings: options.settings,
        };
        Ok(slice::start(&HostRows, &options)?)
    }

    fn resume(
        from: String,
        budget: exporter::Budget,
    ) -> Result<exporter::Outcome, exporter::Error> {
        let budget = Budget { parts: budget.parts };
        Ok(slice::resume(&HostRows, &mut HostParts, &HostPacing, &from, budget)?.into())
    }
}

struct HostRows;

impl Rows for HostRows {
    type Cursor = rows::Cursor;

    fn describe(&self) -> Result<Schema, RowsError> {
        Ok(rows::describe()?.into())
    }

    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<rows::Cursor, RowsError> {
        Ok(rows::scan(table, columns, after)?)
    }
}

impl pipe::Cursor for rows::Cursor {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        let rows::Batch { rows, kinds, integers, reals, lengths, bytes } =
            rows::Cursor::next(self, max_bytes)?;
        Ok(Batch { rows, kinds, integers, reals, lengths, bytes })
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok(rows::Cursor::position(self, rows)?)
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        Ok(rows::Cursor::read(self, row, column, offset, max_bytes)?)
    }
}

struct HostParts;

impl pipe::Parts for HostParts {
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), PartsError> {
        Ok(parts::write(number, bytes)?)
    }
}

struct HostPacing;

impl pipe::Pacing for HostPacing {
    fn should_yield(&self) -> bool {
        pacing::should_yield()
    }
}

impl From<rows::Error> for RowsError {
    fn from(error: rows::Error) -> Self {
        match error {
            rows::Error::UnknownTable(text) => Self::UnknownTable(text),
            rows::Error::UnknownColumn(text) => Self::UnknownColumn(text),
            rows::Error::InvalidPosition(text) => Self::InvalidPosition(text),
            rows::Error::InvalidCell(text) => Self::InvalidCell(text),
            rows::Error::Unavailable(text) => Self::Unavailable(text),
            rows::Error::Corrupt(text) => Self::Corrupt(text),
            rows::Error::Interrupted => Self::Interrupted,
            rows::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<parts::Error> for PartsError {
    fn from(error: parts::Error) -> Self {
        match error {
            parts::Error::Refused(text) => Self::Refused(text),
            parts::Error::Full(text) => Self::Full(text),
            parts::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<Error> for exporter::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidOptions(text) => Self::InvalidOptions(text),
            Error::InvalidCheckpoint(text) => Self::InvalidCheckpoint(text),
            Error::ReadFailed(text) => Self::ReadFailed(text),
            Error::Corrupt(text) => Self::Corrupt(text),
            Error::WriteFailed(text) => Self::WriteFailed(text),
            Error::TooLarge(text) => Self::TooLarge(text),
            Error::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Outcome> for exporter::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::More(more) => {
                let Progress { table, tables, rows, bytes, parts } = more.progress;
                Self::More(exporter::More {
                    checkpoint: more.checkpoint,
                    progress: exporter::Progress { table, tables, rows, bytes, parts },
                })
            }
            Outcome::Done(summary) => Self::Done(exporter::Summary {
                tables: summary.tables,
                rows: summary.rows,
                bytes: summary.bytes,
                parts: summary.parts,
                warnings: summary.warnings,
                damaged: summary.damaged,
            }),
        }
    }
}

impl From<rows::Schema> for Schema {
    fn from(schema: rows::Schema) -> Self {
        Self {
            encoding: match schema.encoding {
                rows::Encoding::Utf8 => Encoding::Utf8,
                rows::Encoding::Utf16le => Encoding::Utf16le,
                rows::Encoding::Utf16be => Encoding::Utf16be,
            },
            user_version: schema.user_version,
            application_id: schema.application_id,
            page_size: schema.page_size,
            auto_vacuum: match schema.auto_vacuum {
                rows::AutoVacuum::None => AutoVacuum::None,
                rows::AutoVacuum::Full => AutoVacuum::Full,
                rows::AutoVacuum::Incremental => AutoVacuum::Incremental,
            },
            objects: schema.objects.into_iter().map(Object::from).collect(),
        }
    }
}

impl From<rows::Object> for Object {
    fn from(object: rows::Object) -> Self {
        Self {
            kind: match object.kind {
                rows::ObjectKind::Table => ObjectKind::Table,
                rows::ObjectKind::Index => ObjectKind::Index,
                rows::ObjectKind::View => ObjectKind::View,
                rows::ObjectKind::Trigger => ObjectKind::Trigger,
            },
            name: object.name,
            on: object.on,
            sql: object.sql,
            table: object.table.map(Table::from),
        }
    }
}

impl From<rows::Table> for Table {
    fn from(table: rows::Table) -> Self {
        let has = |flag| table.flags.contains(flag);
        Self {
            flags: TableFlags {
                without_rowid: has(rows::TableFlags::WITHOUT_ROWID),
                strict: has(rows::TableFlags::STRICT),
                is_virtual: has(rows::TableFlags::VIRTUAL),
                shadow: has(rows::TableFlags::SHADOW),
            },
            columns: table.columns.into_iter().map(Column::from).collect(),
            rowid: table.rowid,
            references: table.references,
            estimated_rows: table.estimated_rows,
        }
    }
}

impl From<rows::Column> for Column {
    fn from(column: rows::Column) -> Self {
        Self {
            name: column.name,
            declared_type: column.declared_type,
            kind: match column.kind {
                rows::ColumnKind::Ordinary => ColumnKind::Ordinary,
                rows::ColumnKind::GeneratedVirtual => ColumnKind::GeneratedVirtual,
                rows::ColumnKind::GeneratedStored => ColumnKind::GeneratedStored,
                rows::ColumnKind::Hidden => ColumnKind::Hidden,
            },
            primary_key: column.primary_key,
        }
    }
}
