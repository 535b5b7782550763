//! What a reading connection may do: read, and what is needed to describe a schema. SQLite checks
//! this whenever it compiles a statement.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use rusqlite::{Connection, ffi};

/// Pragmas that return something and change nothing.
const PRAGMAS: [&str; 14] = [
    "application_id",
    "auto_vacuum",
    "encoding",
    "foreign_key_list",
    "function_list",
    "index_list",
    "index_xinfo",
    "module_list",
    "page_count",
    "page_size",
    "table_list",
    "table_xinfo",
    "table_info",
    "user_version",
];

/// From now on the connection can only read. rusqlite's own wrapper would panic at a name that is
/// not UTF-8.
pub(crate) fn only_read(connection: &Connection) {
    // SAFETY: the connection is open, and the callback lives for ever and needs no data.
    unsafe { ffi::sqlite3_set_authorizer(connection.handle(), Some(authorize), ptr::null_mut()) };
}

unsafe extern "C" fn authorize(
    _: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    let allowed = match action {
        ffi::SQLITE_SELECT | ffi::SQLITE_READ => true,
        // SAFETY: SQLite gives strings or null, which stay for the length of the call.
        ffi::SQLITE_PRAGMA => unsafe { is_harmless(text(first), text(second)) },
        // Those of the schema's own expressions too. None of them writes but this one.
        // SAFETY: as above.
        ffi::SQLITE_FUNCTION => unsafe {
            text(second).is_none_or(|name| !name.eq_ignore_ascii_case(b"load_extension"))
        },
        _ => false,
    };
    if allowed { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

fn is_harmless(pragma: Option<&[u8]>, value: Option<&[u8]>) -> bool {
    let Some(pragma) = pragma else { return false };
    // With these a value names an object, elsewhere it sets something.
    let of_an_object =
        [&b"table_"[..], b"index_", b"foreign_"].iter().any(|start| pragma.starts_with(start));
    PRAGMAS.iter().any(|known| known.as_bytes() == pragma) && (of_an_object || value.is_none())
}

/// What SQLite tells an authorizer.
///
/// # Safety
///
/// Must be null, or a string that is valid for 'a.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_allowed_and_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        only_read(&connection);
        for sql in [
            "SELECT upper(a), octet_length(a) FROM t",
            "PRAGMA user_version",
            "SELECT * FROM pragma_table_xinfo('t')",
            "SELECT * FROM pragma_module_list",
        ] {
            connection.prepare(sql).unwrap();
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "DELETE FROM t",
            "DROP TABLE t",
            "CREATE TEMP TABLE u (a)",
            "ATTACH ':memory:' AS other",
            "BEGIN",
            "PRAGMA user_version = 7",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA writable_schema = ON",
            "SELECT load_extension('x')",
        ] {
            assert!(connection.prepare(sql).is_err(), "{sql} is allowed");
        }
    }
}
