//! The bindings: the WIT interface `rows`, imported and exported, and the policy. Built for wasm only.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::cell::RefCell;

use once_cell::race::OnceBox;

use crate::cursor::RedactedCursor;
use crate::policy::Policy;
use crate::redaction::Redaction;
use bindings::exports::partway::pipe::rows as outer;
use bindings::partway::pipe::rows as inner;
use bindings::partway::redactor::policy;
use partway_rows::{
    AutoVacuum, Batch, Column, ColumnKind, Cursor, Encoding, Object, ObjectKind, Position, Rows,
    RowsError, Schema, Table, TableFlags, Text,
};

mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package partway:redactor@0.1.0;

            interface policy {
                get: func() -> string;
            }

            world redactor {
                import partway:pipe/rows@0.1.0;
                import policy;
                export partway:pipe/rows@0.1.0;
            }
        ",
        world: "partway:redactor/redactor@0.1.0",
        generate_all,
        merge_structurally_equal_types: true,
    });
    use super::Redactor;
    export!(Redactor);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a fault of this component: trap, and let the host name it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Redactor;

/// The policy, applied when something is first asked for. As long as the snapshot exists, its schema is the same.
static REDACTION: OnceBox<Redaction> = OnceBox::new();

fn redaction() -> Result<&'static Redaction, RowsError> {
    REDACTION.get_or_try_init(|| {
        let policy = Policy::from_json(&policy::get())
            .map_err(|error| RowsError::Unavailable(format!("{error}")))?;
        Ok(Box::new(Redaction::new(HostRows.describe()?, &policy)?))
    })
}

impl outer::Guest for Redactor {
    type Cursor = GuestCursor;

    fn describe() -> Result<outer::Schema, outer::Error> {
        Ok(redaction()?.schema().clone().into())
    }

    fn scan(
        table: outer::Text,
        columns: Vec<outer::Text>,
        after: Option<outer::Position>,
    ) -> Result<outer::Cursor, outer::Error> {
        let cursor = redaction()?.scan(&HostRows, &table, &columns, after.as_deref())?;
        Ok(outer::Cursor::new(GuestCursor(RefCell::new(cursor))))
    }
}

struct GuestCursor(RefCell<RedactedCursor<inner::Cursor>>);

impl outer::GuestCursor for GuestCursor {
    fn next(&self, max_bytes: u32) -> Result<outer::Batch, outer::Error> {
        let Batch { rows, kinds, integers, reals, lengths, bytes } =
            self.0.borrow_mut().next(max_bytes)?;
        Ok(outer::Batch { rows, kinds, integers, reals, lengths, bytes })
    }

    fn position(&self, rows: u32) -> Result<outer::Position, outer::Error> {
        Ok(self.0.borrow().position(rows)?)
    }

    fn read(
        &self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, outer::Error> {
        Ok(self.0.borrow_mut().read(row, column, offset, max_bytes)?)
    }
}

struct HostRows;

impl Rows for HostRows {
    type Cursor = inner::Cursor;

    fn describe(&self) -> Result<Schema, RowsError> {
        Ok(inner::describe()?.into())
    }

    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<inner::Cursor, RowsError> {
        Ok(inner::scan(table, columns, after)?)
    }
}

impl Cursor for inner::Cursor {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        let inner::Batch { rows, kinds, integers, reals, lengths, bytes } =
            inner::Cursor::next(self, max_bytes)?;
        Ok(Batch { rows, kinds, integers, reals, lengths, bytes })
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok(inner::Cursor::position(self, rows)?)
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        Ok(inner::Cursor::read(self, row, column, offset, max_bytes)?)
    }
}

/// Both ways between a type of the bindings and the native one, variant by variant.
macro_rules! convert_enum {
    ($bound:ty, $native:ty, $($bound_name:ident = $native_name:ident),+) => {
        impl From<$bound> for $native {
            fn from(value: $bound) -> Self {
                match value { $(<$bound>::$bound_name => Self::$native_name),+ }
            }
        }
        impl From<$native> for $bound {
            fn from(value: $native) -> Self {
                match value { $(<$native>::$native_name => Self::$bound_name),+ }
            }
        }
    };
}

convert_enum!(inner::Encoding, Encoding, Utf8 = Utf8, Utf16le = Utf16le, Utf16be = Utf16be);
convert_enum!(inner::AutoVacuum, AutoVacuum, None = None, Full = Full, Incremental = Incremental);
convert_enum!(
    inner::ObjectKind,
    ObjectKind,
    Table = Table,
    Index = Index,
    View = View,
    Trigger = Trigger
);
convert_enum!(
    inner::ColumnKind,
    ColumnKind,
    Ordinary = Ordinary,
    GeneratedVirtual = GeneratedVirtual,
    GeneratedStored = GeneratedStored,
    Hidden = Hidden
);

/// Both ways between a record of the bindings and the native one, field by field.
macro_rules! convert_record {
    ($bound:ty, $native:ty, $($field:ident: $convert:expr),+) => {
        impl From<$bound> for $native {
            fn from(value: $bound) -> Self {
                Self { $($field: $convert(value.$field)),+ }
            }
        }
        impl From<$native> for $bound {
            fn from(value: $native) -> Self {
                Self { $($field: $convert(value.$field)),+ }
            }
        }
    };
}

fn same<T>(value: T) -> T {
    value
}

fn each<A: Into<B>, B>(values: Vec<A>) -> Vec<B> {
    values.into_iter().map(Into::into).collect()
}

convert_record!(
    inner::Schema,
    Schema,
    encoding: Into::into,
    user_version: same,
    application_id: same,
    page_size: same,
    auto_vacuum: Into::into,
    objects: each
);
convert_record!(
    inner::Object,
    Object,
    kind: Into::into,
    name: same,
    on: same,
    sql: same,
    table: |table: Option<_>| table.map(Into::into)
);
convert_record!(
    inner::Table,
    Table,
    columns: each,
    rowid: same,
    references: same,
    flags: Into::into,
    estimated_rows: same
);
convert_record!(
    inner::Column,
    Column,
    name: same,
    declared_type: same,
    kind: Into::into,
    primary_key: same
);

impl From<inner::TableFlags> for TableFlags {
    fn from(flags: inner::TableFlags) -> Self {
        Self {
            without_rowid: flags.contains(inner::TableFlags::WITHOUT_ROWID),
            strict: flags.contains(inner::TableFlags::STRICT),
            is_virtual: flags.contains(inner::TableFlags::VIRTUAL),
            shadow: flags.contains(inner::TableFlags::SHADOW),
        }
    }
}

impl From<TableFlags> for inner::TableFlags {
    fn from(flags: TableFlags) -> Self {
        let mut set = Self::empty();
        set.set(Self::WITHOUT_ROWID, flags.without_rowid);
        set.set(Self::STRICT, flags.strict);
        set.set(Self::VIRTUAL, flags.is_virtual);
        set.set(Self::SHADOW, flags.shadow);
        set
    }
}

impl From<inner::Error> for RowsError {
    fn from(error: inner::Error) -> Self {
        match error {
            inner::Error::UnknownTable(text) => Self::UnknownTable(text),
            inner::Error::UnknownColumn(text) => Self::UnknownColumn(text),
            inner::Error::InvalidPosition(text) => Self::InvalidPosition(text),
            inner::Error::InvalidCell(text) => Self::InvalidCell(text),
            inner::Error::Unavailable(text) => Self::Unavailable(text),
            inner::Error::Corrupt(text) => Self::Corrupt(text),
            inner::Error::Interrupted => Self::Interrupted,
            inner::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<RowsError> for inner::Error {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::UnknownTable(text) => Self::UnknownTable(text),
            RowsError::UnknownColumn(text) => Self::UnknownColumn(text),
            RowsError::InvalidPosition(text) => Self::InvalidPosition(text),
            RowsError::InvalidCell(text) => Self::InvalidCell(text),
            RowsError::Unavailable(text) => Self::Unavailable(text),
            RowsError::Corrupt(text) => Self::Corrupt(text),
            RowsError::Interrupted => Self::Interrupted,
            RowsError::Failed(text) => Self::Failed(text),
        }
    }
}
