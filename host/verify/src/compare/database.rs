//! One of two databases: its header and its schema.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::value::Form;
use super::{Error, Object};

/// A database, open, and in one state until it is dropped.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) header: Vec<(&'static str, String)>,
    path: PathBuf,
}

/// What the schema says of an object.
pub(crate) struct Entry {
    /// Its text, in the form asked for.
    pub(crate) sql: Sql,
    /// Whether it is a table with rows of its own, so neither a view nor a virtual table.
    pub(crate) has_rows: bool,
}

/// Schema text; an index that SQLite makes by itself has none.
#[derive(PartialEq)]
pub(crate) struct Sql(Option<Vec<u8>>);

impl Sql {
    pub(crate) fn as_value(&self) -> ValueRef<'_> {
        self.0.as_deref().map_or(ValueRef::Null, ValueRef::Text)
    }
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let mut database = Self { connection, header: Vec::new(), path: path.to_owned() };
        database.header = database.read_header().map_err(|source| database.error(source))?;
        Ok(database)
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        Error::Read { path: self.path.clone(), source }
    }

    fn read_header(&self) -> rusqlite::Result<Vec<(&'static str, String)>> {
        // Everything is read from one state, whoever writes meanwhile.
        self.connection.execute_batch("BEGIN")?;
        let header = ["user_version", "application_id", "encoding"].into_iter().map(|name| {
            let value = self.connection.query_row(&format!("PRAGMA {name}"), [], |row| {
                Ok(match row.get_ref(0)? {
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                })
            })?;
            Ok((name, value))
        });
        header.collect()
    }

    /// How text is stored.
    pub(crate) fn form(&self) -> Form {
        match self.header.last().map(|(_, encoding)| encoding.as_str()) {
            Some("UTF-16le") => Form::Utf16le,
            Some("UTF-16be") => Form::Utf16be,
            _ => Form::Utf8,
        }
    }

    /// Every object.
    pub(crate) fn schema(&self, form: Form) -> Result<BTreeMap<Object, Entry>, Error> {
        self.read_schema(form).map_err(|source| self.error(source))
    }

    fn read_schema(&self, form: Form) -> rusqlite::Result<BTreeMap<Object, Entry>> {
        let sql = if form == Form::Utf8 { "sql" } else { "CAST(sql AS BLOB)" };
        let mut statement = self
            .connection
            .prepare(&format!("SELECT type, name, {sql}, rootpage FROM sqlite_master"))?;
        let rows = statement.query_map([], |row| {
            let object = Object { kind: text(row.get_ref(0)?), name: text(row.get_ref(1)?) };
            // What has no root page is a view, a trigger or a virtual table; no module is needed to see it.
            let rooted = !matches!(row.get_ref(3)?, ValueRef::Integer(0) | ValueRef::Null);
            let has_rows = rooted && object.kind == "table";
            Ok((object, Entry { sql: Sql(bytes(row.get_ref(2)?)), has_rows }))
        })?;
        rows.collect()
    }
}

fn bytes(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

fn text(value: ValueRef<'_>) -> String {
    String::from_utf8_lossy(&bytes(value).unwrap_or_default()).into_owned()
}
