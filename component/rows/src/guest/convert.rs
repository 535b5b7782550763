//! Between the types of the bindings and the native ones, both ways.

use alloc::vec::Vec;

use super::bindings::partway::pipe::rows as bound;
use crate::{
    AutoVacuum, Batch, Column, ColumnKind, Encoding, Object, ObjectKind, RowsError, Schema, Table,
    TableFlags,
};

/// Both ways between a type of the bindings and the native one, variant by variant.
macro_rules! convert_enum {
    ($bound:ty, $native:ty, $($name:ident),+) => {
        impl From<$bound> for $native {
            fn from(value: $bound) -> Self {
                match value { $(<$bound>::$name => Self::$name),+ }
            }
        }
        impl From<$native> for $bound {
            fn from(value: $native) -> Self {
                match value { $(<$native>::$name => Self::$name),+ }
            }
        }
    };
}

convert_enum!(bound::Encoding, Encoding, Utf8, Utf16le, Utf16be);
convert_enum!(bound::AutoVacuum, AutoVacuum, None, Full, Incremental);
convert_enum!(bound::ObjectKind, ObjectKind, Table, Index, View, Trigger);
convert_enum!(bound::ColumnKind, ColumnKind, Ordinary, GeneratedVirtual, GeneratedStored, Hidden);

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
    bound::Batch,
    Batch,
    rows: same,
    kinds: same,
    integers: same,
    reals: same,
    lengths: same,
    bytes: same
);
convert_record!(
    bound::Schema,
    Schema,
    encoding: Into::into,
    user_version: same,
    application_id: same,
    page_size: same,
    auto_vacuum: Into::into,
    objects: each
);
convert_record!(
    bound::Object,
    Object,
    kind: Into::into,
    name: same,
    on: same,
    sql: same,
    table: |table: Option<_>| table.map(Into::into)
);
convert_record!(
    bound::Table,
    Table,
    columns: each,
    rowid: same,
    references: same,
    flags: Into::into,
    estimated_rows: same
);
convert_record!(
    bound::Column,
    Column,
    name: same,
    declared_type: same,
    kind: Into::into,
    primary_key: same
);

impl From<bound::TableFlags> for TableFlags {
    fn from(flags: bound::TableFlags) -> Self {
        Self {
            without_rowid: flags.contains(bound::TableFlags::WITHOUT_ROWID),
            strict: flags.contains(bound::TableFlags::STRICT),
            is_virtual: flags.contains(bound::TableFlags::VIRTUAL),
            shadow: flags.contains(bound::TableFlags::SHADOW),
        }
    }
}

impl From<TableFlags> for bound::TableFlags {
    fn from(flags: TableFlags) -> Self {
        let mut set = Self::empty();
        set.set(Self::WITHOUT_ROWID, flags.without_rowid);
        set.set(Self::STRICT, flags.strict);
        set.set(Self::VIRTUAL, flags.is_virtual);
        set.set(Self::SHADOW, flags.shadow);
        set
    }
}

/// Both ways between the errors, whose texts are the same.
macro_rules! convert_error {
    ($($name:ident),+) => {
        impl From<bound::Error> for RowsError {
            fn from(error: bound::Error) -> Self {
                match error {
                    $(bound::Error::$name(text) => Self::$name(text),)+
                    bound::Error::Interrupted => Self::Interrupted,
                }
            }
        }
        impl From<RowsError> for bound::Error {
            fn from(error: RowsError) -> Self {
                match error {
                    $(RowsError::$name(text) => Self::$name(text),)+
                    RowsError::Interrupted => Self::Interrupted,
                }
            }
        }
    };
}

convert_error!(
    UnknownTable,
    UnknownColumn,
    InvalidPosition,
    InvalidCell,
    Unavailable,
    Corrupt,
    Failed
);
