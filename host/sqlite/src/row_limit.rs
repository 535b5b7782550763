//! The bound on rows that SQLite loads whole.
//!
//! A row of a WITHOUT ROWID table can't be read in pieces: SQLite loads all of it to find it, and to read any of its
//! long values. So before the first long value of such a table, all its rows are measured, which loads none.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, Result};

use crate::database::Database;
use crate::error::rows_error;
use crate::key_order::KeyOrder;
use crate::table_query::TableQuery;
use partway_wasmtime::rows::Error as RowsError;

/// The most bytes of a row that is loaded whole, unless another bound is set.
pub(crate) const MAX_LOADED_ROW: u64 = 64 * 1024 * 1024;

/// The bound, and the tables that keep to it.
pub(crate) struct RowLimit {
    max_bytes: Arc<AtomicU64>,
    checked: RefCell<HashSet<CString>>,
}

impl RowLimit {
    /// A bound that may be changed from elsewhere before the first row is read.
    pub(crate) fn new(max_bytes: Arc<AtomicU64>) -> Self {
        Self { max_bytes, checked: RefCell::default() }
    }

    /// Checks the rows of a table, once.
    pub(crate) fn check(
        &self,
        database: &Database,
        query: &TableQuery,
    ) -> std::result::Result<(), RowsError> {
        let KeyOrder::PrimaryKey(_) = query.order else { return Ok(()) };
        if self.checked.borrow().contains(&query.name) {
            return Ok(());
        }
        let max_bytes = self.max_bytes.load(Ordering::SeqCst);
        let longer = first_longer(database, query, max_bytes)
            .map_err(|error| rows_error(&query.displayed, &error))?;
        if let Some(row) = longer {
            let size = match row.size {
                Some((bytes, column)) => {
                    let column = String::from_utf8_lossy(&column);
                    format!("has {bytes} bytes, most of them in column {column:?}")
                }
                None => "is too long in a column of REAL affinity".to_owned(),
            };
            return Err(RowsError::Unavailable(format!(
                "{} can't be exported: its row {} in the order of its key {size}, and only {max_bytes} bytes may be \
                 loaded into memory at a time. Rows of a table WITHOUT ROWID can't be read in pieces: leave out the table, or \
                 allow larger rows",
                query.displayed, row.number,
            )));
        }
        self.checked.borrow_mut().insert(query.name.clone());
        Ok(())
    }
}

/// A row that is too long.
struct LongRow {
    /// Counted from 1.
    number: u64,
    /// Its bytes, and the column of its longest value. None: measuring it would have loaded more than is allowed.
    size: Option<(u64, Vec<u8>)>,
}

/// The first row longer than so many bytes. Nothing is compared on the way, which would load rows. In a column of REAL
/// affinity SQLite loads a text or blob to measure it: no more than allowed, as it refuses longer ones.
fn first_longer(
    database: &Database,
    query: &TableQuery,
    max_bytes: u64,
) -> Result<Option<LongRow>> {
    let limit = |bytes| database.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes);
    limit(i32::MAX)?;
    let mut statement = query.lengths(database)?;
    limit(i32::try_from(max_bytes).unwrap_or(i32::MAX))?;
    let mut number = 0;
    loop {
        number += 1;
        match statement.step() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {
                return Ok(Some(LongRow { number, size: None }));
            }
            Err(error) => return Err(error),
        }
        let length = |column| match statement.cell(column) {
            ValueRef::Integer(length) => length.unsigned_abs(),
            _ => 0,
        };
        let columns = query.stored.len();
        let bytes: u64 = (0..columns).map(length).sum();
        if bytes > max_bytes {
            let longest = (0..columns).max_by_key(|column| length(*column)).unwrap_or_default();
            let column = query.stored.get(longest).cloned().unwrap_or_default();
            return Ok(Some(LongRow { number, size: Some((bytes, column)) }));
        }
    }
}
