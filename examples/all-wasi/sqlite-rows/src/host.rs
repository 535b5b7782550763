//! What the component exports: the database, and its rows.

use std::cell::{OnceCell, RefCell};

use bindings::exports::partway_example::all_wasi::database as all_wasi;

use crate::cursor::Cursor;
use crate::database::Database;
use crate::schema;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "partway-example:all-wasi/sqlite-rows",
        generate_all,
    });
    use super::SqliteRows;
    export!(SqliteRows);
}

pub use bindings::exports::partway::pipe::rows;

thread_local! {
    static DATABASE: OnceCell<Database> = const { OnceCell::new() };
}

/// What the database says to this; an error if none is open.
fn with_database<T, E>(
    error: impl FnOnce(String) -> E,
    call: impl FnOnce(&Database) -> Result<T, E>,
) -> Result<T, E> {
    DATABASE.with(|database| match database.get() {
        Some(database) => call(database),
        None => Err(error("no database is open".into())),
    })
}

struct SqliteRows;

impl all_wasi::Guest for SqliteRows {
    fn open(path: String) -> Result<(), String> {
        let opened = Database::open(&path)?;
        DATABASE.with(|database| database.set(opened)).map_err(|_| "a database is open".into())
    }

    fn state() -> Result<String, String> {
        with_database(|error| error, Database::state)
    }
}

/// A cursor that can be shared, as the bindings want it.
pub struct SharedCursor(RefCell<Cursor>);

impl rows::Guest for SqliteRows {
    type Cursor = SharedCursor;

    fn describe() -> Result<rows::Schema, rows::Error> {
        with_database(rows::Error::Failed, |database| Ok(schema::read(&database.connection)?))
    }

    fn scan(
        table: Vec<u8>,
        columns: Vec<Vec<u8>>,
        after: Option<Vec<u8>>,
    ) -> Result<rows::Cursor, rows::Error> {
        with_database(rows::Error::Failed, |database| {
            let cursor = Cursor::open(&database.connection, &table, &columns, after.as_deref())?;
            Ok(rows::Cursor::new(SharedCursor(RefCell::new(cursor))))
        })
    }
}

impl rows::GuestCursor for SharedCursor {
    fn next(&self, max_bytes: u32) -> Result<rows::Batch, rows::Error> {
        with_database(rows::Error::Failed, |database| {
            self.0.borrow_mut().next(&database.connection, max_bytes as usize)
        })
    }

    fn position(&self, rows: u32) -> Result<Vec<u8>, rows::Error> {
        self.0.borrow().position(rows as usize)
    }

    fn read(
        &self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, rows::Error> {
        let cursor = self.0.borrow();
        let bytes = cursor.long_cell(row as usize, column as usize)?;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        Ok(rest[..rest.len().min(max_bytes as usize)].to_vec())
    }
}

impl From<rusqlite::Error> for rows::Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
