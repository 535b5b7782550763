//! Tables of a schema, found by their names.

use alloc::format;
use alloc::string::String;

use crate::pipe::{Error, Object, ObjectKind, Schema};

/// Whether a name is one that SQLite keeps for itself.
pub(crate) fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
}

/// A name, in quotes, for messages.
pub(crate) fn quoted_name(name: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(name))
}

/// Finds a table to export. Names are compared as SQLite does: ASCII letters without regard to case.
///
/// # Errors
///
/// If there is no such table, or it is virtual: `of_virtual` says what to do instead.
pub(crate) fn find_table<'a>(
    schema: &'a Schema,
    name: &str,
    of_virtual: &str,
) -> Result<&'a Object, Error> {
    let named = |object: &&Object| object.name.eq_ignore_ascii_case(name.as_bytes());
    let refusal = match schema
        .objects
        .iter()
        .filter(|object| matches!(object.kind, ObjectKind::Table | ObjectKind::View))
        .find(named)
    {
        Some(Object { kind: ObjectKind::View, .. }) => "it is a view, which has no rows of its own",
        Some(object) if object.table.as_ref().is_some_and(|table| table.flags.is_virtual) => {
            &format!("it is a virtual table, whose data is in other tables: {of_virtual}")
        }
        Some(object) => return Ok(object),
        None => "the database has no such table",
    };
    Err(Error::InvalidOptions(format!("table {name:?} can't be exported: {refusal}")))
}
