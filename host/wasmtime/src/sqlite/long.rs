//! Reading a long value piece by piece, from a handle that stays open from one piece to the next: a
//! fresh one would walk the value's pages from its start each time.

use rusqlite::blob::Blob;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, params_from_iter};

use super::error::rows_error;
use super::key::Key;
use super::reader::{Reply, Request};
use super::scan::{KeyKind, Scan};
use crate::contract::rows::Error as RowsError;

/// Which bytes of which value.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) cursor: u64,
    pub(super) key: Key,
    pub(super) column: u32,
    pub(super) offset: u32,
    pub(super) max_bytes: u32,
}

/// Answers a request for a piece, and those for further pieces of the same value that follow it. Gives
/// back the first request that is something else.
pub(super) fn serve_pieces(
    connection: &Connection,
    scan: &Scan,
    piece: Piece,
    reply: &Reply<Vec<u8>>,
    next: impl FnMut() -> Option<Request>,
) -> Option<Request> {
    let Some(column) = scan.columns.get(piece.column as usize) else {
        let error = RowsError::InvalidCell(format!("{} was not asked for that column", scan.shown));
        return answer(reply, Err(error), next);
    };
    // Only a rowid table's values can be opened where they lie, and be read without being loaded.
    if let (KeyKind::Rowid(_), Key::Rowid(rowid)) = (&scan.key, &piece.key) {
        let blob = connection.blob_open(MAIN_DB, scan.name.as_str(), column.as_str(), *rowid, true);
        // It fails for a table with generated columns, and for a default that no row stores: such a
        // value is read whole.
        if let Ok(blob) = blob {
            return serve_value(&Value::Handle(blob), scan, piece, reply, next);
        }
    }
    // A scan's limit would refuse the value, or its key; with it loaded, the scan may have its limit back.
    let limit = connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX);
    let (sql, parameters) = scan.one_cell(&piece.key, column);
    let mut statement = match connection.prepare_cached(&sql) {
        Ok(statement) => statement,
        Err(error) => return answer(reply, Err(rows_error(&scan.shown, &error)), next),
    };
    let mut rows = match statement.query(params_from_iter(parameters)) {
        Ok(rows) => rows,
        Err(error) => return answer(reply, Err(rows_error(&scan.shown, &error)), next),
    };
    let row = rows.next();
    if let Ok(limit) = limit {
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, limit).ok();
    }
    let bytes = match row {
        Ok(Some(row)) => row.get_ref(0).and_then(|value| Ok(value.as_blob()?)),
        Ok(None) => Err(rusqlite::Error::QueryReturnedNoRows),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => serve_value(&Value::Bytes(bytes), scan, piece, reply, next),
        Err(error) => answer(reply, Err(rows_error(&scan.shown, &error)), next),
    }
}

/// A value to read from.
enum Value<'a> {
    Handle(Blob<'a>),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn read(&self, offset: u32, max_bytes: u32) -> rusqlite::Result<Vec<u8>> {
        let offset = offset as usize;
        match self {
            Self::Handle(blob) => {
                let mut bytes = vec![0; blob.len().saturating_sub(offset).min(max_bytes as usize)];
                if !bytes.is_empty() {
                    blob.read_at_exact(&mut bytes, offset)?;
                }
                Ok(bytes)
            }
            Self::Bytes(value) => {
                let rest = value.get(offset..).unwrap_or_default();
                Ok(rest[..rest.len().min(max_bytes as usize)].to_vec())
            }
        }
    }
}

fn serve_value(
    value: &Value<'_>,
    scan: &Scan,
    piece: Piece,
    reply: &Reply<Vec<u8>>,
    mut next: impl FnMut() -> Option<Request>,
) -> Option<Request> {
    let read = |offset, max_bytes| {
        value.read(offset, max_bytes).map_err(|error| rows_error(&scan.shown, &error))
    };
    reply.send(read(piece.offset, piece.max_bytes)).ok();
    loop {
        match next()? {
            Request::Piece(other, reply)
                if (other.cursor, other.column) == (piece.cursor, piece.column)
                    && other.key == piece.key =>
            {
                reply.send(read(other.offset, other.max_bytes)).ok();
            }
            other => return Some(other),
        }
    }
}

/// Answers and waits for what comes next. Who has gone away needs no answer.
fn answer<T>(
    reply: &Reply<T>,
    answer: Result<T, RowsError>,
    mut next: impl FnMut() -> Option<Request>,
) -> Option<Request> {
    reply.send(answer).ok();
    next()
}
