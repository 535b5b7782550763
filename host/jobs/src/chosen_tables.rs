//! Which tables a job exports that makes one object of each.

use partway_sqlite::is_table_like;
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::{ExportError, Exporter};
use partway_wasmtime::rows::{Error, Object, Schema, Table, TableFlags};
use tokio::runtime::Handle;

use crate::job_error::JobError;
use crate::options::requested_options;
use crate::request::ExportRequest;
use crate::source::Source;
use crate::step_error::StepError;
use crate::subset::excluded_tables;

/// The tables, and what is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ChosenTables {
    /// Their names, in the order of the schema.
    pub(crate) tables: Vec<String>,
    /// What is left out, one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Why no tables can be chosen.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The schema can't be read.
    #[error("the tables can't be read: {0:?}")]
    Schema(Error),
    /// A table that was asked for does not exist.
    #[error("table {0:?} can't be exported: the database has no such table")]
    Unknown(String),
    /// A table that was asked for has no rows of its own.
    #[error(
        "table {0:?} can't be exported to an object of its own: it is virtual, and its data is in other tables"
    )]
    Virtual(String),
    /// No table is like a pattern.
    #[error("table {0:?} can't be exported: the database has no table like it")]
    NoneLike(String),
    /// A name is not UTF-8, and the component's options are.
    #[error("table {0:?} can't be exported to an object of its own: its name is not UTF-8")]
    NotUtf8(String),
    /// There is none.
    #[error("there is no table to export")]
    None,
    /// There is none that is not left out.
    #[error("no table is left to export: all that were asked for are left out as well")]
    AllLeftOut,
    /// Rows of a table were chosen that is not.
    #[error("there is a condition for table {0:?}, which is not exported")]
    NotFiltered(String),
}

/// Why a request for one object of each table can't be carried out.
#[derive(Debug, thiserror::Error)]
pub enum EachTableError {
    /// No tables can be chosen.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The component refuses the options, or can't read the schema.
    #[error(transparent)]
    Start(#[from] CallError),
}

/// Checks a request for one object of each table, as the job will do it when it begins, with parts of any size. It may
/// block, on a thread of a [Tokio](tokio) runtime that is for that.
///
/// # Errors
///
/// All of [`EachTableError`].
pub fn check_each_table(
    exporter: &Exporter,
    source: &dyn Source,
    request: &ExportRequest,
    part_size: u32,
) -> Result<(), EachTableError> {
    let chosen = chosen_tables(source, request)?;
    // What is wrong with the options is so for any of them.
    let first = chosen.tables.first().map(String::as_str);
    exporter.start(source.rows(), &requested_options(request, first, part_size))?;
    Ok(())
}

impl ChosenTables {
    /// Keeps the tables that a component can export, and those that were asked for by their names: what is wrong with
    /// them is an error.
    pub(crate) fn retain<T>(
        &mut self,
        asked: &[String],
        start: impl Fn(&str) -> Result<T, CallError>,
    ) -> Result<(), StepError> {
        let mut kept = Vec::new();
        let mut refusals = Vec::new();
        for table in self.tables.drain(..) {
            match start(&table) {
                Err(error @ CallError::Exporter(ExportError::InvalidOptions(_)))
                    if !asked.iter().any(|name| name.eq_ignore_ascii_case(&table)) =>
                {
                    refusals.push(error);
                }
                Err(error) => return Err(JobError::from(error).into()),
                Ok(_) => kept.push(table),
            }
        }
        let refused = refusals.len();
        if let (true, Some(first)) = (kept.is_empty(), refusals.into_iter().next()) {
            // Not of the tables, then.
            return Err(JobError::from(first).into());
        }
        if refused > 0 {
            // Their names may be what is kept back.
            let tables = if refused == 1 { "table is" } else { "tables are" };
            self.warnings
                .push(format!("{refused} {tables} left out: the component does not export them"));
        }
        self.tables = kept;
        Ok(())
    }
}

/// The tables of a source that a request asks for. None asked for: all that are the user's own. It may block.
pub(crate) fn chosen_tables(
    source: &dyn Source,
    request: &ExportRequest,
) -> Result<ChosenTables, TableError> {
    let mut rows = source.rows();
    let schema = Handle::current().block_on(rows.describe()).map_err(TableError::Schema)?;
    let chosen = choose(&schema, &request.tables, &excluded_tables(&request.settings))?;
    let is_chosen = |name: &str| chosen.tables.iter().any(|table| table.eq_ignore_ascii_case(name));
    match request.filters.iter().find(|(table, _)| !is_chosen(table)) {
        Some((table, _)) => Err(TableError::NotFiltered(table.clone())),
        None => Ok(chosen),
    }
}

fn choose(
    schema: &Schema,
    asked: &[String],
    excluded: &[String],
) -> Result<ChosenTables, TableError> {
    for name in asked.iter().chain(excluded) {
        check(schema, name)?;
    }
    let mut chosen = ChosenTables::default();
    for (object, table) in tables(schema) {
        let is_named = asked.iter().any(|name| is_exactly(object, name));
        let is_wanted = is_named
            || is_own(object, table)
                && (asked.is_empty()
                    || asked.iter().any(|name| is_asked_for(schema, object, name)));
        if !is_wanted || excluded.iter().any(|name| is_asked_for(schema, object, name)) {
            continue;
        }
        let name = String::from_utf8_lossy(&object.name).into_owned();
        if table.flags.contains(TableFlags::VIRTUAL) {
            if is_named {
                return Err(TableError::Virtual(name));
            }
            chosen.warnings.push(left_out(schema, &name));
        } else if name.as_bytes() == object.name {
            chosen.tables.push(name);
        } else {
            return Err(TableError::NotUtf8(name));
        }
    }
    match (chosen.tables.is_empty(), excluded.is_empty()) {
        (false, _) => Ok(chosen),
        (true, false) => Err(TableError::AllLeftOut),
        (true, true) => Err(TableError::None),
    }
}

/// That a virtual table is left out, and where its data is.
fn left_out(schema: &Schema, name: &str) -> String {
    let prefix = format!("{}_", name.to_ascii_lowercase());
    let shadows = tables(schema).filter(|(_, table)| table.flags.contains(TableFlags::SHADOW));
    let names = shadows.map(|(object, _)| String::from_utf8_lossy(&object.name));
    let its = names.filter(|shadow| shadow.to_ascii_lowercase().starts_with(&prefix));
    let its: Vec<String> = its.map(|shadow| format!("{shadow:?}")).collect();
    match its.is_empty() {
        true => format!("virtual table {name:?} is left out: it has no rows of its own"),
        false => format!(
            "virtual table {name:?} is left out: its data is in the tables {}, which are exported if they are named",
            its.join(", ")
        ),
    }
}

/// Whether there is anything of a name or pattern.
fn check(schema: &Schema, name: &str) -> Result<(), TableError> {
    let is_pattern = name.contains(['*', '?']);
    let mut found = tables(schema).filter(|(object, table)| {
        is_exactly(object, name) || is_own(object, table) && is_table_like(&object.name, name)
    });
    match found.next() {
        Some(_) => Ok(()),
        None if is_pattern => Err(TableError::NoneLike(name.to_owned())),
        None => Err(TableError::Unknown(name.to_owned())),
    }
}

/// Whether a table is one that a name or pattern stands for. What has a name exactly comes first, whatever its characters.
fn is_asked_for(schema: &Schema, object: &Object, name: &str) -> bool {
    is_exactly(object, name)
        || is_table_like(&object.name, name)
            && !tables(schema).any(|(other, _)| is_exactly(other, name))
}

fn is_exactly(object: &Object, name: &str) -> bool {
    object.name.eq_ignore_ascii_case(name.as_bytes())
}

/// Whether a table is the user's own: neither SQLite's nor a part of a virtual table.
fn is_own(object: &Object, table: &Table) -> bool {
    let is_internal =
        object.name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"));
    !is_internal && !table.flags.contains(TableFlags::SHADOW)
}

fn tables(schema: &Schema) -> impl Iterator<Item = (&Object, &Table)> {
    schema.objects.iter().filter_map(|object| Some((object, object.table.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use partway_sqlite::Snapshot;
    use partway_wasmtime::rows::Rows;

    use super::*;

    fn schema(sql: &str) -> Schema {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let mut rows = Snapshot::hold(&path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(rows.describe()).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_and_patterns_choose_tables() {
        let schema = schema(
            "CREATE TABLE orders (a INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE log_1 (a); CREATE TABLE log_2 (a);
             CREATE TABLE \"log_*\" (a); CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE docs USING fts5(text);",
        );
        let chosen = |asked: &[&str], excluded: &[&str]| {
            choose(&schema, &names(asked), &names(excluded))
                .map(|chosen| chosen.tables.join(" "))
                .map_err(|error| error.to_string())
        };
        assert_eq!(chosen(&[], &[]).unwrap(), "orders log_1 log_2 log_*");
        assert_eq!(chosen(&["ORDERS", "LOG_?"], &["log_2"]).unwrap(), "orders log_1 log_*");
        // A table of that very name.
        assert_eq!(chosen(&["log_*"], &[]).unwrap(), "log_*");
        assert_eq!(chosen(&[], &["log_*"]).unwrap(), "orders log_1 log_2");
        assert_eq!(
            chosen(&["docs_data", "sqlite_sequence"], &[]).unwrap(),
            "sqlite_sequence docs_data"
        );
        let all = choose(&schema, &[], &[]).unwrap();
        let [warning] = &all.warnings[..] else { panic!("{:?}", all.warnings) };
        let (tables, data) = ("the tables \"docs_data\", \"docs_idx\"", "its data is in");
        assert!(warning.starts_with("virtual table \"docs\" is left out"), "{warning}");
        assert!(warning.contains(data) && warning.contains(tables), "{warning}");
        for (asked, excluded, error) in [
            (&["v"][..], &[][..], "no such table"),
            (&["orders", "x*"], &[], "no table like it"),
            (&["docs"], &[], "virtual"),
            (&[], &["nothing"], "no such table"),
            (&["orders"], &["o*"], "all that were asked for are left out"),
        ] {
            let refused = chosen(asked, excluded).unwrap_err();
            assert!(refused.contains(error), "{refused}");
        }
    }
}
