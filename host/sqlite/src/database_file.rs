//! The file of a database, read as SQLite itself reads it.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;

use rusqlite::{Error, Result, ffi};

use crate::database::Database;

/// An open file of a database.
pub(crate) struct DatabaseFile<'c> {
    file: ptr::NonNull<ffi::sqlite3_file>,
    methods: ptr::NonNull<ffi::sqlite3_io_methods>,
    database: PhantomData<&'c Database>,
}

impl<'c> DatabaseFile<'c> {
    /// The file of a database, which keeps it open.
    pub(crate) fn of(database: &'c Database) -> Result<Self> {
        Self::found(database, ffi::SQLITE_FCNTL_FILE_POINTER)
    }

    /// The file of its journal, or of its write-ahead log.
    pub(crate) fn of_journal(database: &'c Database) -> Result<Self> {
        Self::found(database, ffi::SQLITE_FCNTL_JOURNAL_POINTER)
    }

    fn found(database: &'c Database, which: c_int) -> Result<Self> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: the connection is open, and SQLite puts a pointer where it is told.
        done(unsafe {
            let (db, to) = (database.handle(), (&raw mut file).cast());
            ffi::sqlite3_file_control(db, database.schema().as_ptr(), which, to)
        })?;
        // SAFETY: what is not null is a file that SQLite has opened, and lives as long as the connection.
        let methods = unsafe { file.as_ref() }.map(|file| file.pMethods.cast_mut());
        match (ptr::NonNull::new(file), methods.and_then(ptr::NonNull::new)) {
            (Some(file), Some(methods)) => Ok(Self { file, methods, database: PhantomData }),
            _ => Err(failure(ffi::SQLITE_MISUSE)),
        }
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> Result<u64> {
        let mut length = 0;
        // SAFETY: the file and its methods live as long as the connection, which no other thread uses.
        done(unsafe {
            match self.methods.as_ref().xFileSize {
                Some(size) => size(self.file.as_ptr(), &mut length),
                None => ffi::SQLITE_MISUSE,
            }
        })?;
        Ok(length.try_into().unwrap_or(0))
    }

    /// Reads bytes from `offset` on.
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let length = c_int::try_from(bytes.len()).map_err(|_| failure(ffi::SQLITE_TOOBIG))?;
        let offset = i64::try_from(offset).map_err(|_| failure(ffi::SQLITE_TOOBIG))?;
        // SAFETY: as above; and `length` bytes are what may be written.
        done(unsafe {
            match self.methods.as_ref().xRead {
                Some(read) => read(self.file.as_ptr(), bytes.as_mut_ptr().cast(), length, offset),
                None => ffi::SQLITE_MISUSE,
            }
        })
    }
}

fn done(code: c_int) -> Result<()> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(code)) }
}

fn failure(code: c_int) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}
