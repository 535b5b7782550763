//! The pages of a database in the held state, each as the database file has it once all is written there.
//!
//! Without a write-ahead log, the file itself is read: nothing changes in it while the transaction is open. With one, SQLite's
//! table of pages, `sqlite_dbpage`, knows which version of a page the transaction sees; SQLite has it only if it was built with
//! `SQLITE_ENABLE_DBPAGE_VTAB`.

use std::ops::Range;

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

use crate::database::Database;
use crate::database_file::DatabaseFile;
use crate::statement::Statement;

/// SQLite's locks lie on the page that holds this byte, which is never written.
const LOCK_BYTE: u64 = 1 << 30;

/// How the pages of a database are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageAccess {
    /// From the database file: there is no log.
    File,
    /// By `sqlite_dbpage`.
    Table,
}

impl PageAccess {
    /// How they are read in this connection. None: they can't be.
    pub(crate) fn of(connection: &Connection, is_wal: bool) -> Result<Option<Self>> {
        if !is_wal {
            return Ok(Some(Self::File));
        }
        let sql = "SELECT count(*) FROM pragma_module_list WHERE name = 'sqlite_dbpage'";
        let tables: u32 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok((tables > 0).then_some(Self::Table))
    }
}

/// The pages of a database.
pub(crate) struct PageSource<'c> {
    database: &'c Database,
    reader: Reader<'c>,
    /// The bytes of a page.
    pub(crate) page_size: usize,
    /// How many pages there are.
    pub(crate) count: u32,
}

enum Reader<'c> {
    File(DatabaseFile<'c>),
    /// Selects one page by its number.
    Table(Statement<'c>),
}

impl<'c> PageSource<'c> {
    pub(crate) fn open(database: &'c Database, access: PageAccess) -> Result<Self> {
        let number = |pragma: &str| {
            database.query_row(&database.sql(pragma), [], |row| row.get::<_, u32>(0))
        };
        let reader = match access {
            PageAccess::File => Reader::File(DatabaseFile::of(database)?),
            PageAccess::Table => {
                let table = database.qualified(b"sqlite_dbpage");
                let sql = [b"SELECT data FROM ", &table[..], b" WHERE pgno = ?1"].concat();
                Reader::Table(Statement::prepare(database, &sql, &[ValueRef::Integer(0)])?)
            }
        };
        let page_size = number("PRAGMA schema.page_size")? as usize;
        Ok(Self { database, reader, page_size, count: number("PRAGMA schema.page_count")? })
    }

    /// Appends pages, of which the first has the number 1.
    pub(crate) fn append(&mut self, pages: Range<u32>, to: &mut Vec<u8>) -> Result<()> {
        let start = to.len();
        let appended = match &mut self.reader {
            Reader::File(file) => append_from_file(file, self.page_size, pages, to),
            Reader::Table(statement) => {
                // Other reads leave a limit of their own.
                self.database.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)?;
                append_from_table(statement, self.page_size, pages, to)
            }
        };
        if appended.is_err() {
            to.truncate(start);
        }
        appended
    }
}

fn append_from_file(
    file: &DatabaseFile<'_>,
    page_size: usize,
    pages: Range<u32>,
    to: &mut Vec<u8>,
) -> Result<()> {
    let (start, size) = (to.len(), page_size as u64);
    let lock_page = (LOCK_BYTE / size) as u32 + 1;
    to.resize(start + pages.len() * page_size, 0);
    // Some systems let nobody read where SQLite's locks lie. The page is zeros.
    let (before, behind) = match pages.contains(&lock_page) {
        true => (pages.start..lock_page, lock_page + 1..pages.end),
        false => (pages.clone(), 0..0),
    };
    for part in [before, behind].into_iter().filter(|part| !part.is_empty()) {
        let at = start + (part.start - pages.start) as usize * page_size;
        let bytes = &mut to[at..at + part.len() * page_size];
        file.read(bytes, u64::from(part.start - 1) * size)?;
    }
    Ok(())
}

fn append_from_table(
    statement: &mut Statement<'_>,
    page_size: usize,
    pages: Range<u32>,
    to: &mut Vec<u8>,
) -> Result<()> {
    for page in pages {
        statement.restart(ValueRef::Integer(page.into()))?;
        match (statement.step()?, statement.cell(0)) {
            (true, ValueRef::Blob(data)) if data.len() == page_size => to.extend_from_slice(data),
            _ => return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek, SeekFrom, Write};
    use std::path::Path;

    use super::*;
    use crate::connection::open;

    const SIZE: u32 = 4096;
    const LOCK_PAGE: u32 = (LOCK_BYTE as u32) / SIZE + 1;

    /// A database that is said to go on behind the page where SQLite's locks lie; most of it is a hole in the file.
    fn long_database(path: &Path, mode: &str) {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", mode).unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        drop(connection);
        let mut file = File::options().write(true).open(path).unwrap();
        let mut write = |at: u64, bytes: &[u8]| {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes).unwrap();
        };
        for page in LOCK_PAGE - 1..=LOCK_PAGE + 1 {
            write(u64::from(page - 1) * u64::from(SIZE), &[page as u8; SIZE as usize]);
        }
        write(28, &(LOCK_PAGE + 1).to_be_bytes());
    }

    #[test]
    fn the_page_where_locks_lie_is_zeros_and_those_around_it_are_not() {
        for (mode, access) in [("delete", PageAccess::File), ("wal", PageAccess::Table)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("long.db");
            long_database(&path, mode);
            let opened = open(&path).unwrap();
            assert_eq!(opened.pages.access, Some(access));
            // Both ways, where there are both.
            for access in [access, PageAccess::Table] {
                let mut pages = PageSource::open(&opened.database, access).unwrap();
                assert_eq!((pages.count, pages.page_size), (LOCK_PAGE + 1, SIZE as usize));
                let mut bytes = b"before".to_vec();
                pages.append(LOCK_PAGE - 1..LOCK_PAGE + 2, &mut bytes).unwrap();
                let page = |page: u32| [page as u8; SIZE as usize];
                let zeros = [0; SIZE as usize];
                assert!(
                    bytes
                        == [b"before", &page(LOCK_PAGE - 1)[..], &zeros, &page(LOCK_PAGE + 1)]
                            .concat()
                );
                assert!(pages.append(LOCK_PAGE + 1..LOCK_PAGE + 3, &mut bytes).is_err());
                assert_eq!(bytes.len(), 6 + 3 * SIZE as usize);
            }
        }
    }
}
