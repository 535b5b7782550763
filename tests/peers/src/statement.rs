//! SQLite's rows as fast as they can be had: its own interface, with nothing in between.

use std::ffi::{CString, c_int};
use std::marker::PhantomData;
use std::{ptr, slice};

use anyhow::{Result, bail};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};

/// A statement, at one of its rows.
pub struct Statement<'c> {
    raw: *mut ffi::sqlite3_stmt,
    /// SQLite would begin anew behind the last row.
    ended: bool,
    connection: PhantomData<&'c Connection>,
}

impl<'c> Statement<'c> {
    pub fn prepare(connection: &'c Connection, sql: &str) -> Result<Self> {
        let text = CString::new(sql)?;
        let mut raw = ptr::null_mut();
        // SAFETY: the connection is open, and the text ends with a NUL.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(
                connection.handle(),
                text.as_ptr(),
                -1,
                &mut raw,
                ptr::null_mut(),
            )
        };
        if code != ffi::SQLITE_OK || raw.is_null() {
            bail!("{sql}: {}", ffi::Error::new(code));
        }
        Ok(Self { raw, ended: false, connection: PhantomData })
    }

    /// Goes to the next row; false: there is none.
    pub fn step(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        // SAFETY: the statement lives, and no cell is borrowed any more.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => {
                self.ended = true;
                Ok(false)
            }
            code => bail!("reading: {}", ffi::Error::new(code)),
        }
    }

    #[inline]
    pub fn cell(&self, index: usize) -> ValueRef<'_> {
        // SAFETY: the statement lives and stays at its row while the cell is borrowed; this thread alone uses it.
        unsafe {
            let value = ffi::sqlite3_column_value(self.raw, index as c_int);
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_NULL => ValueRef::Null,
                kind => {
                    let start: *const u8 = ffi::sqlite3_value_blob(value).cast();
                    let length = ffi::sqlite3_value_bytes(value) as usize;
                    let bytes =
                        if start.is_null() { &[] } else { slice::from_raw_parts(start, length) };
                    if kind == ffi::SQLITE_TEXT {
                        ValueRef::Text(bytes)
                    } else {
                        ValueRef::Blob(bytes)
                    }
                }
            }
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody uses it any more.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}
