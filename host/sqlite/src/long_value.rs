//! A long value, opened to be read piece by piece.
//!
//! A new handle for each piece would walk the value's pages from its start each time.

use rusqlite::blob::Blob;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Error, Result};

use crate::byte_order_mark::counted_mark;
use crate::database::Database;
use crate::key_order::KeyOrder;
use crate::position::Position;
use crate::statement::Statement;
use crate::table_query::TableQuery;

/// Which bytes of which value.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) cursor: u64,
    /// Right after the value's row.
    pub(crate) row: Position,
    pub(crate) column: usize,
    pub(crate) offset: u32,
    pub(crate) max_bytes: u32,
}

/// A value to read from.
pub(crate) enum LongValue<'c> {
    /// Where it lies, without being loaded.
    Stored(Blob<'c>),
    /// Loaded whole, as the first cell of a row, with the byte order mark that it has lost.
    Loaded(Statement<'c>, Option<[u8; 2]>),
}

impl<'c> LongValue<'c> {
    /// Opens the value of a column in the row right before a position.
    pub(crate) fn open(
        database: &'c Database,
        query: &TableQuery,
        row: &Position,
        column: usize,
    ) -> Result<Self> {
        // Only a rowid table's values can be opened where they lie.
        if let (KeyOrder::Rowid(_), Position::Rowid(rowid), Some(name)) =
            (&query.order, row, query.columns.get(column))
            && query.opens_values
        {
            let (schema, table) = (database.schema(), query.name.as_c_str());
            let blob = database.blob_open(schema, table, name.as_c_str(), *rowid, true);
            if let Ok(blob) = blob {
                return Ok(Self::Stored(blob));
            }
        }
        // Somebody else's connection is not to have a second name for it.
        if !database.is_lent()
            && let Some(imposter) = &query.imposter
            && let Ok(blob) = imposter.open(database, query, row, column)
        {
            return Ok(Self::Stored(blob));
        }
        // What is left is loaded: a default that no row stores, which is in memory with the schema, and what is in a table
        // without rowids, whose rows are bounded; on a lent connection, all that comes here.
        database.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)?;
        let row = query.one_cell(database, row, column)?;
        let row = row.ok_or(Error::QueryReturnedNoRows)?;
        let mark = counted_mark(&row, 0, row.cell(1));
        Ok(Self::Loaded(row, mark))
    }

    /// Bytes from `offset` on: `max_bytes` of them, fewer only where the value ends.
    pub(crate) fn read(&self, offset: u32, max_bytes: u32) -> Result<Vec<u8>> {
        let offset = offset as usize;
        match self {
            Self::Stored(blob) => {
                let mut bytes = vec![0; blob.len().saturating_sub(offset).min(max_bytes as usize)];
                if !bytes.is_empty() {
                    blob.read_at_exact(&mut bytes, offset)?;
                }
                Ok(bytes)
            }
            Self::Loaded(row, mark) => match row.cell(0) {
                ValueRef::Text(value) | ValueRef::Blob(value) => {
                    let mark = mark.as_ref().map_or(&[][..], |mark| &mark[..]);
                    let rest = value.get(offset.saturating_sub(mark.len())..).unwrap_or_default();
                    let rest = &rest[..rest.len().min(max_bytes as usize)];
                    let mut bytes = [mark.get(offset..).unwrap_or_default(), rest].concat();
                    bytes.truncate(max_bytes as usize);
                    Ok(bytes)
                }
                _ => Ok(Vec::new()),
            },
        }
    }
}
