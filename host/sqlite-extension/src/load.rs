//! Makes SQLite's functions known, whatever version loads the extension.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};
use std::mem::{offset_of, zeroed};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use rusqlite::{Connection, ffi};

use crate::register;

/// The oldest SQLite that this was tested with: 3.40.1.
const OLDEST: c_int = 3_040_001;

/// The functions that the oldest has come before this one in SQLite's table of them.
const KNOWN_FUNCTIONS: usize = offset_of!(ffi::sqlite3_api_routines, is_interrupted);

/// The version that has loaded the extension.
static VERSION: AtomicI32 = AtomicI32::new(0);

/// By one of its functions, the SQLite that has loaded the extension; 0: none has.
static LIBRARY: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is in `extension_init2`.
    static IS_LOADING: Cell<bool> = const { Cell::new(false) };
}

/// Registers the functions and the table on a connection; what an entry point does. The library stays loaded: its threads
/// may outlive the connection.
///
/// # Safety
///
/// The arguments must be those that SQLite has called an entry point with.
pub unsafe fn load(
    connection: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    functions: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: these are among the first of the table, which every SQLite has that loads extensions.
    let (version, malloc) = unsafe {
        match ((*functions).libversion_number, (*functions).malloc) {
            (Some(version), Some(malloc)) => (version(), malloc),
            _ => return ffi::SQLITE_ERROR,
        }
    };
    let refused = |text: String| {
        // SAFETY: SQLite takes the message, and frees it.
        unsafe { put_message(message, malloc, text) };
        ffi::SQLITE_ERROR
    };
    if version < OLDEST {
        return refused(format!(
            "partway needs SQLite 3.40.1 or newer, and this is {}.{}.{}",
            version / 1_000_000,
            version / 1000 % 1000,
            version % 1000
        ));
    }
    let library = malloc as usize;
    let first = LIBRARY.compare_exchange(0, library, Ordering::SeqCst, Ordering::SeqCst);
    if first.is_err_and(|other| other != library) {
        return refused(
            "another SQLite library in this process has loaded partway, which can be used by one of them only: load it \
             in another process"
                .to_owned(),
        );
    }
    VERSION.store(version, Ordering::SeqCst);
    // rusqlite would refuse a version older than the one that its own table is of, and read beyond the end of its table.
    // SAFETY: the table holds optional functions, and zeros mean that there is none. The part that is copied is as long in
    // the oldest version, and in all newer ones.
    let mut known = unsafe {
        let mut known: ffi::sqlite3_api_routines = zeroed();
        std::ptr::copy_nonoverlapping(
            functions.cast::<u8>(),
            (&raw mut known).cast::<u8>(),
            KNOWN_FUNCTIONS,
        );
        known
    };
    known.libversion_number = Some(version_number);
    IS_LOADING.set(true);
    // SAFETY: the connection is SQLite's, and `register` does nothing else. The table is only read.
    let code = unsafe {
        Connection::extension_init2(connection, message, &raw mut known, |connection| {
            IS_LOADING.set(false);
            register(&connection).map(|()| true)
        })
    };
    IS_LOADING.set(false);
    code
}

/// The version that SQLite tells: while it loads the extension, what rusqlite expects.
unsafe extern "C" fn version_number() -> c_int {
    if IS_LOADING.get() { ffi::SQLITE_VERSION_NUMBER } else { VERSION.load(Ordering::SeqCst) }
}

/// Hands SQLite a message.
///
/// # Safety
///
/// `message` must be null or a place for a pointer, and `malloc` SQLite's.
unsafe fn put_message(
    message: *mut *mut c_char,
    malloc: unsafe extern "C" fn(c_int) -> *mut std::ffi::c_void,
    text: String,
) {
    let Ok(text) = CString::new(text) else { return };
    let bytes = text.as_bytes_with_nul();
    let Ok(length) = c_int::try_from(bytes.len()) else { return };
    // SAFETY: as the caller says; and so many bytes were allocated.
    unsafe {
        let copy = if message.is_null() { std::ptr::null_mut() } else { malloc(length) };
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.cast(), bytes.len());
            *message = copy.cast();
        }
    }
}
