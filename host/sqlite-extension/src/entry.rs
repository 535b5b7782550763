//! What SQLite calls when it loads the extension.

use std::ffi::{c_char, c_int};

use partway_sqlite_extension::load;
use rusqlite::ffi;

/// The entry point of a file of any name.
///
/// # Safety
///
/// SQLite calls it, as it calls all entry points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_extension_init(
    connection: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    functions: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe { load(connection, message, functions) }
}

/// The entry point of `partway.so` and `libpartway.so`, named as SQLite derives it.
///
/// # Safety
///
/// SQLite calls it, as it calls all entry points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_partway_init(
    connection: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    functions: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the arguments are SQLite's.
    unsafe { load(connection, message, functions) }
}
