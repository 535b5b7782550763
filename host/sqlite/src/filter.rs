//! Conditions on rows: those of a table that do not meet its condition are left out of what is read.
//!
//! A condition is an expression of SQL, by whoever asks for the export. It is checked before anything is read: it is one
//! expression, can only read, and gives the same for the same state of the database, in any process and at any time.

use std::collections::{HashMap, HashSet};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use rusqlite::{Connection, ffi};

use crate::authorizer::{only_read, text};
use crate::catalog::Catalog;
use crate::database::Database;
use crate::error::reason;
use crate::identifier::quoted;
use crate::statement::Statement;
use partway_wasmtime::rows::TableFlags;

/// Functions that SQLite says give the same for the same arguments, and that do not: for `'now'`, or without arguments,
/// they give the present time.
const OF_TIME: [&str; 7] =
    ["date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch"];

/// Why rows can't be left out by a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such table.
    #[error("rows of table {table:?} can't be chosen: the database has no such table")]
    UnknownTable {
        /// The name as given.
        table: String,
    },
    /// The table is virtual: its rows are in other tables.
    #[error(
        "rows of table {table:?} can't be chosen: it is a virtual table, whose data is in other tables"
    )]
    Virtual {
        /// The name as given.
        table: String,
    },
    /// The table has a condition already.
    #[error("table {table:?} has two conditions: join them with AND")]
    Twice {
        /// The name as given.
        table: String,
    },
    /// The condition can't be used.
    #[error("rows of table {table:?} can't be chosen by {condition:?}: {reason}")]
    Condition {
        /// The name as given.
        table: String,
        /// The condition as given.
        condition: String,
        /// What is wrong with it: SQLite's message, most often.
        reason: String,
    },
    /// The database can't be read.
    #[error("{0}")]
    Read(String),
}

/// The conditions of tables.
#[derive(Debug, Default)]
pub(crate) struct Filters(HashMap<Vec<u8>, Vec<u8>>);

impl Filters {
    /// The condition of a table, in parentheses; none: it has none.
    pub(crate) fn of(&self, table: &[u8]) -> Option<&[u8]> {
        self.0.get(table).map(Vec::as_slice)
    }

    /// Checks conditions, each for the table of a name.
    pub(crate) fn check(
        database: &Database,
        catalog: &Catalog,
        conditions: &[(String, String)],
    ) -> Result<Self, FilterError> {
        let mut filters = HashMap::new();
        for (table, condition) in conditions {
            let named = |name: &[u8]| name.eq_ignore_ascii_case(table.as_bytes());
            let object = catalog.schema.objects.iter().find(|object| named(&object.name));
            let described = object.and_then(|object| Some((&object.name, object.table.as_ref()?)));
            let table = table.clone();
            let (name, described) =
                described.ok_or_else(|| FilterError::UnknownTable { table: table.clone() })?;
            if described.flags.contains(TableFlags::VIRTUAL) {
                return Err(FilterError::Virtual { table });
            }
            if let Err(reason) = check(database, name, condition) {
                let condition = condition.clone();
                return Err(FilterError::Condition { table, condition, reason });
            }
            // The line's end is that of a comment.
            let sql = format!("({condition}\n)").into_bytes();
            if filters.insert(name.clone(), sql).is_some() {
                return Err(FilterError::Twice { table });
            }
        }
        Ok(Self(filters))
    }
}

/// Checks a condition for a table, or says what is wrong with it.
fn check(database: &Database, table: &[u8], condition: &str) -> Result<(), String> {
    if condition.contains('\0') {
        return Err("it has a NUL character".to_owned());
    }
    let refused = refused_functions(database).map_err(|error| reason(&error))?;
    let table = database.qualified(&quoted(table));
    let select = |condition: &str| {
        let start = [b"SELECT 0 FROM ", &table[..], b" WHERE "].concat();
        [&start[..], condition.as_bytes()].concat()
    };
    let strict = Strict::set(database, &refused);
    // Neither is one expression alone: what closes the parenthesis, or goes on behind the expression.
    for sql in [select(&format!("({condition}\n)")), select(&format!("{condition}\n"))] {
        let prepared = Statement::prepare(database, &sql, &[]);
        let statement = prepared.map_err(|error| explained(reason(&error)))?;
        if statement.parameters() > 0 {
            return Err("it has a parameter, and there is no value for it".to_owned());
        }
    }
    drop(strict);
    Ok(())
}

/// SQLite's message, and why it refuses what it could do.
fn explained(reason: String) -> String {
    if reason.starts_with("not authorized") {
        let why = "a condition may only read, and must give the same whenever it is asked: nothing of the present time or of \
                   chance, no recursion";
        return format!("{reason} ({why})");
    }
    reason
}

/// Functions that may give something else for the same arguments, in lower case.
fn refused_functions(database: &Database) -> rusqlite::Result<HashSet<Vec<u8>>> {
    // Aggregates are not marked, and depend on nothing else.
    let sql = "SELECT lower(name) FROM pragma_function_list WHERE type = 's' AND flags & ?1 = 0";
    let mut statement = database.prepare(sql)?;
    let names = statement.query_map([ffi::SQLITE_DETERMINISTIC], |row| row.get::<_, String>(0))?;
    let mut refused = HashSet::new();
    for name in names {
        refused.insert(name?.into_bytes());
    }
    refused.extend(OF_TIME.map(|name| name.as_bytes().to_vec()));
    Ok(refused)
}

/// As long as this lives, a connection compiles nothing but what a condition may do.
struct Strict<'c>(&'c Connection);

impl<'c> Strict<'c> {
    fn set(connection: &'c Connection, refused: &'c HashSet<Vec<u8>>) -> Self {
        let data = ptr::from_ref(refused).cast_mut().cast();
        // SAFETY: the connection is open; the functions live until this is dropped, which takes the callback away.
        unsafe { ffi::sqlite3_set_authorizer(connection.handle(), Some(authorize), data) };
        Self(connection)
    }
}

impl Drop for Strict<'_> {
    fn drop(&mut self) {
        only_read(self.0);
    }
}

unsafe extern "C" fn authorize(
    refused: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    // SAFETY: SQLite gives strings or null, which stay for the length of the call.
    let lower = |name| unsafe { text(name) }.unwrap_or_default().to_ascii_lowercase();
    let allowed = match action {
        ffi::SQLITE_SELECT => true,
        // What was deleted may be in the pages themselves, and a pragma is refused when it is run.
        ffi::SQLITE_READ => {
            let table = lower(first);
            table != b"sqlite_dbpage" && !table.starts_with(b"pragma_")
        }
        ffi::SQLITE_FUNCTION => {
            // SAFETY: it is what `Strict::set` has given.
            let refused = unsafe { &*refused.cast::<HashSet<Vec<u8>>>() };
            let name = lower(second);
            !refused.contains(&name) && !name.starts_with(b"current_")
        }
        _ => false,
    };
    if allowed { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE TABLE u (x); CREATE VIEW v AS SELECT 1;
        CREATE VIRTUAL TABLE f USING fts5(a);";

    fn checked(table: &str, condition: &str) -> Result<Filters, FilterError> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        only_read(&connection);
        let database = Database::main(connection);
        let catalog = Catalog::read(&database).unwrap();
        let checked = Filters::check(&database, &catalog, &[(table.into(), condition.into())]);
        // What may be read is what it was before.
        assert!(database.prepare("SELECT random()").is_ok());
        assert!(database.prepare("DELETE FROM t").is_err());
        checked
    }

    #[test]
    fn conditions_may_read() {
        for condition in [
            "id > 5",
            "a = 'x' AND (b IS NULL OR b BETWEEN 1 AND 2)",
            "id IN (SELECT x FROM u WHERE x = t.b)",
            "a LIKE 'x%' -- ends here",
            "/* begins */ 1",
            "length(a) > 3 AND json_extract(b, '$.x') = 1 AND coalesce(a, b) GLOB 'y*'",
            "(SELECT count(*) FROM u) > 0",
            "rowid % 10 = 0",
            "\"id\" = [id]",
            "a = 'it''s; DROP TABLE t; --'",
        ] {
            checked("T", condition).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn whatever_else_a_condition_is_it_is_refused() {
        let mut wrong = Vec::new();
        for (condition, expected) in [
            ("", "syntax error"),
            ("  -- nothing", "syntax error"),
            ("1) OR (1", "syntax error"),
            ("1) ORDER BY (1", "syntax error"),
            ("1 ORDER BY 1", "syntax error"),
            ("1 LIMIT 1", "syntax error"),
            ("1 UNION SELECT 1", "syntax error"),
            ("1 GROUP BY a", "syntax error"),
            ("1 /* open", "incomplete input"),
            ("'open", "unrecognized token"),
            ("[open", "unrecognized token"),
            ("1; DELETE FROM t", "syntax error"),
            ("DELETE FROM t", "syntax error"),
            ("(DELETE FROM t RETURNING 1)", "syntax error"),
            ("ATTACH 'x' AS y", "syntax error"),
            ("1, 2", "row value misused"),
            ("SELECT 1", "syntax error"),
            ("missing = 1", "no such column: missing"),
            ("id IN (SELECT y FROM nowhere)", "no such table"),
            ("nowhat(1)", "no such function: nowhat"),
            ("id = ?1", "parameter"),
            ("id = :id", "parameter"),
            ("count(*) > 1", "misuse of aggregate"),
            ("random() > 0", "not authorized to use function: random"),
            ("a < DATE('now')", "not authorized to use function: DATE"),
            ("a < unixepoch()", "not authorized to use function: unixepoch"),
            ("a < CURRENT_TIMESTAMP", "not authorized"),
            ("load_extension('x')", "not authorized to use function: load_extension"),
            ("changes() = 0", "not authorized to use function: changes"),
            ("sqlite_version() > '3'", "not authorized to use function: sqlite_version"),
            (
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n)",
                "not authorized",
            ),
            ("1 IN (SELECT 1 FROM pragma_journal_mode('off'))", "not authorized"),
            ("x'00' IN (SELECT data FROM sqlite_dbpage)", "prohibited"),
            ("a\0b", "NUL"),
        ] {
            match checked("t", condition) {
                Err(FilterError::Condition { reason, .. }) if reason.contains(expected) => {}
                other => wrong.push(format!("{condition:?}: {other:?}")),
            }
        }
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn a_table_must_have_rows_of_its_own() {
        for name in ["nowhere", "v", "t*"] {
            assert!(matches!(checked(name, "1"), Err(FilterError::UnknownTable { .. })), "{name}");
        }
        assert!(matches!(checked("f", "1"), Err(FilterError::Virtual { .. })));
    }
}
