//! Statements whose SQL need not be UTF-8: names of tables and columns may be any bytes, and rusqlite takes SQL as `str`.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::{ptr, slice};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

/// A statement on a connection, at one of its rows.
pub(crate) struct Statement<'c> {
    raw: ptr::NonNull<ffi::sqlite3_stmt>,
    connection: PhantomData<&'c Connection>,
}

impl<'c> Statement<'c> {
    /// Compiles the first statement of some SQL, whatever its bytes.
    pub(crate) fn prepare(connection: &'c Connection, sql: &[u8]) -> Result<Self> {
        let length = c_int::try_from(sql.len()).map_err(|_| failure(ffi::SQLITE_TOOBIG))?;
        let mut raw = ptr::null_mut();
        // SAFETY: the connection is open, and stays so for 'c; SQLite reads `length` bytes of SQL.
        let code = unsafe {
            let db = connection.handle();
            ffi::sqlite3_prepare_v2(db, sql.as_ptr().cast(), length, &mut raw, ptr::null_mut())
        };
        match ptr::NonNull::new(raw) {
            Some(raw) if code == ffi::SQLITE_OK => Ok(Self { raw, connection: PhantomData }),
            // There is nothing to compile.
            _ if code == ffi::SQLITE_OK => Err(failure(ffi::SQLITE_MISUSE)),
            // SAFETY: the connection is open, and no other call of it has come between.
            _ => Err(unsafe { last_failure(connection.handle(), code) }),
        }
    }

    /// Binds parameters, the first of them at index 1. The statement must be before its first row.
    pub(crate) fn bind<'v>(
        &mut self,
        values: impl IntoIterator<Item = ValueRef<'v>>,
    ) -> Result<()> {
        let raw = self.raw.as_ptr();
        for (index, value) in (1..).zip(values) {
            // SAFETY: the statement lives, and SQLite copies what it is given before it returns.
            let code = unsafe {
                match value {
                    ValueRef::Null => ffi::sqlite3_bind_null(raw, index),
                    ValueRef::Integer(value) => ffi::sqlite3_bind_int64(raw, index, value),
                    ValueRef::Real(value) => ffi::sqlite3_bind_double(raw, index, value),
                    ValueRef::Text(bytes) => ffi::sqlite3_bind_text64(
                        raw,
                        index,
                        bytes.as_ptr().cast(),
                        bytes.len() as u64,
                        ffi::SQLITE_TRANSIENT(),
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    ValueRef::Blob(bytes) => ffi::sqlite3_bind_blob64(
                        raw,
                        index,
                        bytes.as_ptr().cast(),
                        bytes.len() as u64,
                        ffi::SQLITE_TRANSIENT(),
                    ),
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(self.failure(code));
            }
        }
        Ok(())
    }

    /// Goes to the next row; false: there is none. The first call, and the first after [`Self::reset`], runs it.
    pub(crate) fn step(&mut self) -> Result<bool> {
        // SAFETY: the statement lives, and no cell of the row before is borrowed any more.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.failure(code)),
        }
    }

    /// Goes back to before the first row.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the statement lives, and no cell of a row is borrowed any more. What it returns is the failure of the
        // last step, which is known already.
        unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
    }

    /// A cell of the row; text as UTF-8, which in a database of another encoding is converted. NULL beyond the last one,
    /// and where no row is.
    pub(crate) fn cell(&self, index: usize) -> Result<ValueRef<'_>> {
        let (raw, index) = (self.raw.as_ptr(), index as c_int);
        // SAFETY: SQLite gives a value for any index. It stays as it is until the next step or reset, which need the
        // statement for themselves. The length is that of the form asked for last.
        unsafe {
            Ok(match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(raw, index);
                    ValueRef::Text(self.bytes(start, ffi::sqlite3_column_bytes(raw, index))?)
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(raw, index);
                    ValueRef::Blob(self.bytes(start.cast(), ffi::sqlite3_column_bytes(raw, index))?)
                }
                _ => ValueRef::Null,
            })
        }
    }

    /// So many bytes from an address on.
    ///
    /// # Safety
    ///
    /// They must be those of a cell of the current row, which was just asked for.
    unsafe fn bytes(&self, start: *const u8, length: c_int) -> Result<&[u8]> {
        // SAFETY: as the caller promises; and the statement lives.
        unsafe {
            match usize::try_from(length) {
                Ok(length) if !start.is_null() => Ok(slice::from_raw_parts(start, length)),
                // An empty blob has no address; nor has a cell for which there was no memory.
                _ => match ffi::sqlite3_errcode(ffi::sqlite3_db_handle(self.raw.as_ptr())) {
                    ffi::SQLITE_NOMEM => Err(failure(ffi::SQLITE_NOMEM)),
                    _ => Ok(&[]),
                },
            }
        }
    }

    fn failure(&self, code: c_int) -> Error {
        // SAFETY: the statement lives, and its connection with it.
        unsafe { last_failure(ffi::sqlite3_db_handle(self.raw.as_ptr()), code) }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement lives, and nobody uses it any more. What failed before is known already.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

fn failure(code: c_int) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

/// What went wrong in the connection's last call.
///
/// # Safety
///
/// The connection must be open.
unsafe fn last_failure(db: *mut ffi::sqlite3, code: c_int) -> Error {
    // SAFETY: SQLite's message is a string that stays until the connection's next call.
    let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) };
    let message = message.to_string_lossy().into_owned();
    Error::SqliteFailure(ffi::Error::new(code), Some(message))
}
