//! The table `partway_parts`: a dump's parts, as rows.

use std::borrow::Cow;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;

use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection,
    VTabCursor, sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Result, ffi};

use crate::error::Error;
use crate::lease::Lease;
use crate::options::Options;
use crate::parts::{Part, PartMaker};

/// The last column is the argument.
const COLUMNS: &CStr =
    c"CREATE TABLE partway_parts(number INTEGER, bytes BLOB, options TEXT HIDDEN)";
const NUMBER: c_int = 0;
const BYTES: c_int = 1;
const OPTIONS: c_int = 2;

/// Each row takes long, and a database has an unknown number of them.
const ROWS: i64 = 1000;
const COST: f64 = 1e9;

/// Registers the table.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    const MODULE: Module<'_, PartsTable> = Module::eponymous_only_module();
    connection.create_module("partway_parts", &MODULE, None)
}

/// The table, on a connection.
#[repr(C)]
struct PartsTable {
    base: sqlite3_vtab,
    connection: *mut ffi::sqlite3,
}

// SAFETY: the first field is SQLite's, and the layout is C's.
unsafe impl<'vtab> VTab<'vtab> for PartsTable {
    type Aux = ();
    type Cursor = PartsCursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        _options: Option<&()>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        // Not in triggers and views, nor in anything else of a schema.
        db.config(VTabConfig::DirectOnly)?;
        // SAFETY: the connection is only used while SQLite calls this table, which it does on the connection's thread.
        let connection = unsafe { db.handle() };
        Ok((Cow::Borrowed(COLUMNS), Self { base: sqlite3_vtab::default(), connection }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut given = None;
        for (index, constraint) in info.constraints().enumerate() {
            if constraint.column() == OPTIONS
                && constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ
            {
                if !constraint.is_usable() {
                    return Ok(false);
                }
                given = Some(index);
            }
        }
        if let Some(index) = given {
            let mut usage = info.constraint_usage(index);
            usage.set_argv_index(1);
            usage.set_omit(true);
        }
        info.set_estimated_rows(ROWS);
        info.set_estimated_cost(COST);
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<PartsCursor<'vtab>> {
        Ok(PartsCursor {
            base: sqlite3_vtab_cursor::default(),
            connection: self.connection,
            maker: None,
            part: None,
            table: PhantomData,
        })
    }
}

/// A dump that is being made.
#[repr(C)]
struct PartsCursor<'vtab> {
    base: sqlite3_vtab_cursor,
    connection: *mut ffi::sqlite3,
    maker: Option<PartMaker>,
    /// The current row; none at the end.
    part: Option<Part>,
    table: PhantomData<&'vtab PartsTable>,
}

impl PartsCursor<'_> {
    fn begin(&mut self, options: Option<&str>) -> std::result::Result<(), Error> {
        // The state of an earlier dump is let go of.
        self.maker = None;
        let options = Options::of_parts(options)?;
        // SAFETY: SQLite closes all cursors before it closes the connection, and calls them on its thread.
        let lease = unsafe { Lease::new(self.connection, &options)? };
        self.advance(PartMaker::begin(lease, &options)?)
    }

    fn advance(&mut self, mut maker: PartMaker) -> std::result::Result<(), Error> {
        self.part = maker.next()?;
        // At the end, the database's state is let go of.
        self.maker = self.part.is_some().then_some(maker);
        Ok(())
    }
}

// SAFETY: the first field is SQLite's, and the layout is C's.
unsafe impl VTabCursor for PartsCursor<'_> {
    fn filter(&mut self, _: c_int, _: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let options: Option<String> = if arguments.is_empty() { None } else { arguments.get(0)? };
        self.part = None;
        self.begin(options.as_deref()).map_err(|error| error.to_sqlite("partway_parts"))
    }

    fn next(&mut self) -> Result<()> {
        self.part = None;
        match self.maker.take() {
            Some(maker) => self.advance(maker).map_err(|error| error.to_sqlite("partway_parts")),
            None => Ok(()),
        }
    }

    fn eof(&self) -> bool {
        self.part.is_none()
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        match (&self.part, column) {
            (Some(part), NUMBER) => context.set_result(part.number),
            (Some(part), BYTES) => context.set_result(&part.bytes[..]),
            _ => context.set_result(rusqlite::types::Null),
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.part.as_ref().map_or(0, |part| part.number.into()))
    }
}
