//! Where a damaged table can be read again.
//!
//! A table is a tree of pages, and a search for a rowid goes from its root straight to the page where that rowid is:
//! it comes past damaged pages before it. So the end of the damage is found by searches further and further
//! on. What lies below a damaged page that is not a leaf can't be reached that way, whatever it is searched for.

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, Result};

use crate::database::Database;
use crate::error::is_damage;
use crate::key_order::KeyOrder;
use crate::position::Position;
use crate::statement::Statement;
use crate::table_query::{Selection, TableQuery};

/// How much further each search goes: one rowid, or so small a part of the way so far. A page may be missed only where
/// as many pages like it in a row are damaged before it, and one behind it is too.
const STEPS: u64 = 64;

/// The position before the first row that can be read behind the damage that comes after a position. None: there is
/// none, or no way to find it.
pub(crate) fn first_readable(
    database: &Database,
    query: &TableQuery,
    after: &Position,
    max_bytes: u32,
) -> Result<Option<Position>> {
    let KeyOrder::Rowid(_) = query.order else { return Ok(None) };
    let mut from = match after {
        Position::Rowid(rowid) => rowid.checked_add(1),
        Position::RowidFrom(rowid) => Some(*rowid),
        _ => Some(i64::MIN),
    };
    let mut search = Search::new(database, query)?;
    while let Some(start) = from {
        from = match search.row(start)? {
            Found::Row(rowid) => {
                let position = Position::RowidFrom(rowid);
                if is_readable(database, query, &position, max_bytes)? {
                    return Ok(Some(position));
                }
                rowid.checked_add(1)
            }
            Found::Damage => search.end_of_damage(start)?,
            Found::End => None,
        };
    }
    Ok(None)
}

/// What a search for a rowid comes to.
enum Found {
    /// The first row of this rowid or a larger one.
    Row(i64),
    /// A damaged page.
    Damage,
    /// There is no such row.
    End,
}

/// Searches for rowids in one table.
struct Search<'c>(Statement<'c>);

impl<'c> Search<'c> {
    fn new(database: &'c Database, query: &TableQuery) -> Result<Self> {
        query.first_key(database, &Position::RowidFrom(0)).map(Self)
    }

    /// Finds the first row of a rowid or a larger one, without reading what is in it.
    fn row(&mut self, rowid: i64) -> Result<Found> {
        self.0.restart(ValueRef::Integer(rowid))?;
        match self.0.step() {
            Ok(true) => Ok(self.0.cell(0).as_i64().map_or(Found::End, Found::Row)),
            Ok(false) => Ok(Found::End),
            Err(error) if is_damage(&error) => Ok(Found::Damage),
            Err(error) => Err(error),
        }
    }

    /// The first rowid after `start`, which is on a damaged page, that is not on one; none is found if all further ones
    /// are.
    fn end_of_damage(&mut self, start: i64) -> Result<Option<i64>> {
        // Where nothing comes before the damage, the rowids that are most likely are those near 0.
        let base = if start == i64::MIN { 0 } else { start };
        let mut damaged = start;
        let mut intact = loop {
            let step = (damaged.abs_diff(base) / STEPS).max(1);
            let at = damaged.saturating_add_unsigned(step);
            if !matches!(self.row(at)?, Found::Damage) {
                break at;
            }
            if at == i64::MAX {
                return Ok(None);
            }
            damaged = at;
        };
        while damaged.abs_diff(intact) > 1 {
            let middle = damaged.midpoint(intact);
            match self.row(middle)? {
                Found::Damage => damaged = middle,
                Found::Row(_) | Found::End => intact = middle,
            }
        }
        Ok(Some(intact))
    }
}

/// Whether the first row after a position can be read.
fn is_readable(
    database: &Database,
    query: &TableQuery,
    after: &Position,
    max_bytes: u32,
) -> Result<bool> {
    // Values that are too long are not loaded: they are measured, in a second attempt.
    for (selection, longest) in
        [(Selection::Plain, max_bytes as i32), (Selection::Guarded, i32::MAX)]
    {
        database.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)?;
        let mut rows = query.rows(database, after, 0, selection, max_bytes)?;
        database.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        match rows.step() {
            Ok(_) => return Ok(true),
            Err(error) if is_damage(&error) => return Ok(false),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
