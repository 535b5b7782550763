//! What components import: rows, parts and pacing.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rusqlite::Connection;
use wasmtime::component::{Resource, ResourceTable};

use crate::cursor::Cursor;
use crate::schema;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "export-component",
        with: { "partway:pipe/rows.cursor": crate::cursor::Cursor },
    });
}

pub use generated::ExportComponent;
pub use generated::exports::partway::pipe::exporter;
pub use generated::partway::pipe::{pacing, parts, rows};

pub const PART_SIZE: u32 = 1024 * 1024;

/// The tables of a database, and the cursors that a component has open in them.
pub struct Tables {
    database: Connection,
    cursors: ResourceTable,
}

impl Tables {
    pub fn new(database: Connection) -> Self {
        Self { database, cursors: ResourceTable::new() }
    }

    fn cursor(
        &mut self,
        cursor: &Resource<Cursor>,
    ) -> Result<(&Connection, &mut Cursor), rows::Error> {
        let found = self.cursors.get_mut(cursor);
        Ok((&self.database, found.map_err(|error| rows::Error::Failed(error.to_string()))?))
    }
}

/// All that an exporter imports during one slice.
pub struct Host {
    pub tables: Tables,
    pub parts: File,
}

impl rows::Host for Tables {
    fn describe(&mut self) -> Result<rows::Schema, rows::Error> {
        Ok(schema::read(&self.database)?)
    }

    fn scan(
        &mut self,
        table: Vec<u8>,
        columns: Vec<Vec<u8>>,
        after: Option<Vec<u8>>,
    ) -> Result<Resource<Cursor>, rows::Error> {
        let cursor = Cursor::open(&self.database, &table, &columns, after.as_deref())?;
        self.cursors.push(cursor).map_err(|error| rows::Error::Failed(error.to_string()))
    }
}

impl rows::HostCursor for Tables {
    fn next(
        &mut self,
        cursor: Resource<Cursor>,
        max_bytes: u32,
    ) -> Result<rows::Batch, rows::Error> {
        let (database, cursor) = self.cursor(&cursor)?;
        cursor.next(database, max_bytes as usize)
    }

    fn position(&mut self, cursor: Resource<Cursor>, rows: u32) -> Result<Vec<u8>, rows::Error> {
        self.cursor(&cursor)?.1.position(rows as usize)
    }

    fn read(
        &mut self,
        cursor: Resource<Cursor>,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, rows::Error> {
        let (_, cursor) = self.cursor(&cursor)?;
        let bytes = cursor.long_cell(row as usize, column as usize)?;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        Ok(rest[..rest.len().min(max_bytes as usize)].to_vec())
    }

    fn drop(&mut self, cursor: Resource<Cursor>) -> wasmtime::Result<()> {
        self.cursors.delete(cursor)?;
        Ok(())
    }
}

impl parts::Host for Host {
    fn write(&mut self, number: u32, bytes: Vec<u8>) -> Result<(), parts::Error> {
        // At its own place, so that a part that is written once more changes nothing.
        let offset = u64::from(number - 1) * u64::from(PART_SIZE);
        let written = self.parts.write_all_at(&bytes, offset);
        written.map_err(|error| parts::Error::Failed(error.to_string()))
    }
}

impl pacing::Host for Host {
    fn should_yield(&mut self) -> bool {
        false
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
