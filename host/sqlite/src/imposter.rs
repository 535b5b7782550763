//! A second name for the pages of a table, under which values are opened that SQLite opens under the first name for
//! nobody: in tables with generated columns, and where no name reaches the rowid.
//!
//! SQLite calls it an imposter table (`SQLITE_TESTCTRL_IMPOSTER`; its RBU extension and the command `.imposter` of its
//! program are made of it). It exists in the connection's memory only: nothing is written, and nobody else sees it.

use std::ffi::CString;

use rusqlite::blob::Blob;
use rusqlite::types::ValueRef;
use rusqlite::{Error, Result};

use crate::database::Database;
use crate::identifier::quoted;
use crate::position::Position;
use crate::statement::Statement;
use crate::table_query::TableQuery;

/// What an imposter of a table needs.
#[derive(Debug)]
pub(crate) struct Imposter {
    /// A name that no object of the database has.
    name: CString,
    /// How many columns a record of the table has.
    columns: usize,
    /// For each column of the scan, its place in a record; none for what is not in it.
    places: Vec<Option<usize>>,
}

impl Imposter {
    pub(crate) fn new(name: CString, columns: usize, places: Vec<Option<usize>>) -> Self {
        Self { name, columns, places }
    }

    /// Opens the value of a column of the scan in the row right before a position. An error where that can't be:
    /// the value is a default that no row stores, for instance.
    pub(crate) fn open<'c>(
        &self,
        database: &'c Database,
        query: &TableQuery,
        row: &Position,
        column: usize,
    ) -> Result<Blob<'c>> {
        if cfg!(feature = "loadable_extension") {
            return Err(Error::QueryReturnedNoRows);
        }
        let place = self.places.get(column).copied().flatten().ok_or(Error::QueryReturnedNoRows)?;
        if self.rowid(database, row).is_err() {
            self.create(database, query)?;
        }
        let rowid = self.rowid(database, row)?;
        let column = CString::new(format!("c{place}"))?;
        database.blob_open(database.schema(), self.name.as_c_str(), column.as_c_str(), rowid, true)
    }

    /// The rowid of the row right before a position.
    fn rowid(&self, database: &Database, row: &Position) -> Result<i64> {
        let (clauses, number) = match row {
            Position::Rowid(rowid) => ("WHERE rowid = ?1", *rowid),
            Position::Ordinal(rows) => {
                ("NOT INDEXED LIMIT 1 OFFSET ?1", i64::try_from(*rows).unwrap_or(i64::MAX) - 1)
            }
            _ => return Err(Error::QueryReturnedNoRows),
        };
        let name = quoted(self.name.as_bytes());
        let sql = [b"SELECT rowid FROM ", &name[..], b" ", clauses.as_bytes()].concat();
        let mut statement = Statement::prepare(database, &sql, &[ValueRef::Integer(number)])?;
        match statement.step()? {
            true => statement.cell(0).as_i64().map_err(|_| Error::QueryReturnedNoRows),
            false => Err(Error::QueryReturnedNoRows),
        }
    }

    fn create(&self, database: &Database, query: &TableQuery) -> Result<()> {
        let root = query.root_page(database)?;
        let columns: Vec<String> = (0..self.columns).map(|column| format!("c{column}")).collect();
        let name = quoted(self.name.as_bytes());
        let columns = columns.join(",");
        let sql = [b"CREATE TABLE ", &name[..], b"(", columns.as_bytes(), b")"].concat();
        set_imposter(database, 1, root);
        // The table is there once the statement is compiled, and nothing is left to run: whether that went well shows
        // when the table is read.
        Statement::prepare(database, &sql, &[]).ok();
        set_imposter(database, 0, 0);
        Ok(())
    }
}

/// A loaded extension has no access to this: the interface for extensions leaves out functions with any number of
/// arguments.
#[cfg(feature = "loadable_extension")]
fn set_imposter(_: &Database, _: i32, _: i32) {}

/// Turns on and off that a `CREATE TABLE` gives another name to the pages below a root page.
#[cfg(not(feature = "loadable_extension"))]
fn set_imposter(database: &Database, on: i32, root: i32) {
    // SAFETY: the connection is open, and only this thread uses it; the arguments are those of this operation.
    unsafe {
        let db = database.handle();
        rusqlite::ffi::sqlite3_test_control(
            rusqlite::ffi::SQLITE_TESTCTRL_IMPOSTER,
            db,
            c"main".as_ptr(),
            on,
            root,
        );
    }
}
