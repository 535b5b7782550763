//! One of the two databases: its header, its schema and its text encoding.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::difference::SchemaObject;
use super::error::CompareError;
use super::value::TextEncoding;

/// An open database, read in one transaction until it is dropped.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) header: Vec<(&'static str, String)>,
    path: PathBuf,
}

/// What the schema says about an object.
pub(crate) struct SchemaEntry {
    /// Its SQL text, in the encoding asked for.
    pub(crate) sql: SchemaText,
    /// Whether it is a table that stores rows: not a view, not a virtual table.
    pub(crate) has_rows: bool,
}

/// The SQL text of an object. An index that SQLite makes by itself has none.
#[derive(PartialEq)]
pub(crate) struct SchemaText(Option<Vec<u8>>);

impl SchemaText {
    pub(crate) fn as_value(&self) -> ValueRef<'_> {
        self.0.as_deref().map_or(ValueRef::Null, ValueRef::Text)
    }
}

/// The two databases that are compared.
pub(crate) struct DatabasePair<'a> {
    pub(crate) original: &'a Database,
    pub(crate) copy: &'a Database,
    /// What text of both is read as.
    pub(crate) encoding: TextEncoding,
    /// Whether the copy is meant to have the same rowids.
    pub(crate) has_rowids: bool,
}

impl<'a> DatabasePair<'a> {
    pub(crate) fn new(original: &'a Database, copy: &'a Database) -> Self {
        // In different encodings no text has the same bytes. That is reported once; then characters are
        // compared.
        let encoding = match original.encoding() {
            encoding if encoding == copy.encoding() => encoding,
            _ => TextEncoding::Utf8,
        };
        Self { original, copy, encoding, has_rowids: true }
    }
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, CompareError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|source| CompareError::Open { path: path.to_owned(), source })?;
        let mut database = Self { connection, header: Vec::new(), path: path.to_owned() };
        database.header = database.read_header().map_err(|source| database.error(source))?;
        Ok(database)
    }

    fn error(&self, source: rusqlite::Error) -> CompareError {
        CompareError::Read { path: self.path.clone(), source }
    }

    fn read_header(&self) -> rusqlite::Result<Vec<(&'static str, String)>> {
        // Everything is read from one state, whoever writes in the meantime.
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

    /// How this database stores text.
    pub(crate) fn encoding(&self) -> TextEncoding {
        match self.header.last().map(|(_, encoding)| encoding.as_str()) {
            Some("UTF-16le") => TextEncoding::Utf16le,
            Some("UTF-16be") => TextEncoding::Utf16be,
            _ => TextEncoding::Utf8,
        }
    }

    /// Every object of the schema.
    pub(crate) fn schema(
        &self,
        encoding: TextEncoding,
    ) -> Result<BTreeMap<SchemaObject, SchemaEntry>, CompareError> {
        self.read_schema(encoding).map_err(|source| self.error(source))
    }

    fn read_schema(
        &self,
        encoding: TextEncoding,
    ) -> rusqlite::Result<BTreeMap<SchemaObject, SchemaEntry>> {
        let sql = if encoding == TextEncoding::Utf8 { "sql" } else { "CAST(sql AS BLOB)" };
        let mut statement = self
            .connection
            .prepare(&format!("SELECT type, name, {sql}, rootpage FROM sqlite_master"))?;
        let rows = statement.query_map([], |row| {
            let object = SchemaObject {
                kind: String::from_utf8_lossy(&bytes(row.get_ref(0)?).unwrap_or_default())
                    .into_owned(),
                name: bytes(row.get_ref(1)?).unwrap_or_default().into(),
            };
            // A view, a trigger or a virtual table has no root page. This needs no virtual table module.
            let has_root_page = !matches!(row.get_ref(3)?, ValueRef::Integer(0) | ValueRef::Null);
            let has_rows = has_root_page && object.kind == "table";
            Ok((object, SchemaEntry { sql: SchemaText(bytes(row.get_ref(2)?)), has_rows }))
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
