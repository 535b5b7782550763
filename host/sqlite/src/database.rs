//! One of a connection's databases: `main`, `temp` or one that is attached.

use std::ffi::{CStr, CString};
use std::ops::Deref;

use rusqlite::{Connection, MAIN_DB, Result, TransactionState};

use crate::identifier::quoted;

/// Since this version, SQLite has `octet_length`, which measures a value without loading it.
const OCTET_LENGTH_SINCE: i32 = 3_043_000;

/// A connection, and the name by which all that is read is found in it: a table of another of its databases may have the
/// same name.
pub(crate) struct Database {
    connection: Connection,
    schema: CString,
    /// The name, quoted.
    quoted: Vec<u8>,
    /// Whether the connection is somebody else's.
    is_lent: bool,
    has_octet_length: bool,
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Database {
    /// The main database of a connection that nobody else uses.
    pub(crate) fn main(connection: Connection) -> Self {
        Self::new(connection, MAIN_DB.to_owned(), false)
    }

    /// A database of a connection that is somebody else's.
    pub(crate) fn lent(connection: Connection, schema: CString) -> Self {
        Self::new(connection, schema, true)
    }

    fn new(connection: Connection, schema: CString, is_lent: bool) -> Self {
        let quoted = quoted(schema.as_bytes());
        let has_octet_length = rusqlite::version_number() >= OCTET_LENGTH_SINCE;
        Self { connection, schema, quoted, is_lent, has_octet_length }
    }

    /// Its name.
    pub(crate) fn schema(&self) -> &CStr {
        &self.schema
    }

    /// Its name as text, for a parameter.
    pub(crate) fn schema_text(&self) -> &[u8] {
        self.schema.as_bytes()
    }

    /// The name of one of its tables, for SQL. `table` is quoted, or a plain word.
    pub(crate) fn qualified(&self, table: &[u8]) -> Vec<u8> {
        [&self.quoted[..], b".", table].concat()
    }

    /// The SQL with `schema.` before a pragma or table replaced by its name.
    pub(crate) fn sql(&self, sql: &str) -> String {
        sql.replace("schema.", &format!("{}.", String::from_utf8_lossy(&self.quoted)))
    }

    /// Whether the connection is somebody else's: nothing in it may be changed, not even in memory.
    pub(crate) fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// The SQL for how many bytes are stored of a column's value (quoted). Before SQLite 3.43 that loads the value.
    pub(crate) fn octet_length(&self, column: &[u8]) -> Vec<u8> {
        match self.has_octet_length {
            true => [b"octet_length(", column, b")"].concat(),
            false => [b"length(CAST(", column, b" AS BLOB))"].concat(),
        }
    }

    /// Whether the transaction that held its state has ended: SQLite ends it when a read fails (an I/O error, no memory).
    pub(crate) fn is_lost(&self) -> bool {
        match self.is_lent {
            // It need not be inside BEGIN.
            true => matches!(self.transaction(), Ok(TransactionState::None) | Err(_)),
            false => self.connection.is_autocommit(),
        }
    }

    /// What transaction its owner has open in it.
    pub(crate) fn transaction(&self) -> Result<TransactionState> {
        self.connection.transaction_state(Some(self.schema()))
    }
}
