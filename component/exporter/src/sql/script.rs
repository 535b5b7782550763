//! The order of a dump: schema and rows, as steps.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::name::write_name;
use crate::plan::{Plan, Step, TableRows};
use crate::{ColumnKind, Encoding, Error, Kind, Object, Options, Schema, Table, Text};

/// Plans a dump.
///
/// Tables come with their rows, each table's behind its `CREATE`; then what SQLite keeps in tables of its
/// own; then indexes, which are faster built over rows than along with them; then views, and triggers,
/// which must not fire; and virtual tables last, as entries of the schema table, since creating
/// them would create their shadow tables once more.
pub(crate) fn plan(schema: &Schema, options: &Options) -> Result<Plan, Error> {
    let rowids = keeps_rowids(&options.settings)?;
    let selection = Selection::new(schema, &options.tables)?;
    let mut script = Script::default();

    script.line(format!("-- partway:begin sql {FORMAT_VERSION}").as_bytes());
    script.line(b"PRAGMA foreign_keys=OFF;");
    // Rows may be older than a constraint, or made with constraints off.
    script.line(b"PRAGMA ignore_check_constraints=ON;");
    // It takes effect only before the first table is made, and not within a transaction.
    match schema.encoding {
        Encoding::Utf8 => script.line(b"PRAGMA encoding='UTF-8';"),
        Encoding::Utf16le => script.line(b"PRAGMA encoding='UTF-16le';"),
        Encoding::Utf16be => script.line(b"PRAGMA encoding='UTF-16be';"),
    }
    script.line(b"BEGIN TRANSACTION;");
    for (pragma, value) in
        [("user_version", schema.user_version), ("application_id", schema.application_id)]
    {
        if value != 0 {
            script.line(format!("PRAGMA {pragma}={value};").as_bytes());
        }
    }

    let objects = || schema.objects.iter().filter(|object| selection.has(object));
    for object in objects() {
        if let (Some(table), Some(sql)) = (&object.table, &object.sql)
            && !is_internal(&object.name)
            && !table.flags.is_virtual
        {
            script.statement(sql);
            script.rows(object, table, rowids)?;
        }
    }
    for object in objects() {
        script.internal(object)?;
    }
    for kind in [Kind::Index, Kind::View, Kind::Trigger] {
        for object in objects().filter(|object| object.kind == kind) {
            if let Some(sql) = &object.sql {
                script.statement(sql);
            }
        }
    }
    script.virtual_tables(objects());
    script.line(b"COMMIT;");
    Ok(script.into_plan(schema.encoding))
}

/// The comment at the end: who finds it knows that nothing has been cut off, and what to expect.
pub(crate) fn end_mark(tables: u32, rows: u64) -> Vec<u8> {
    format!("-- partway:end tables={tables} rows={rows}\n").into_bytes()
}

/// Goes up when a reader of dumps would have to know.
const FORMAT_VERSION: u32 = 1;

/// The setting `rowids`: `keep`, the default, or `drop`.
fn keeps_rowids(settings: &[(String, String)]) -> Result<bool, Error> {
    let mut keep = true;
    for (name, value) in settings {
        keep = match (name.as_str(), value.as_str()) {
            ("rowids", "keep") => true,
            ("rowids", "drop") => false,
            _ => {
                return Err(Error::InvalidOptions(format!(
                    "format \"sql\" knows no setting {name}={value}: it has rowids=keep and rowids=drop"
                )));
            }
        };
    }
    Ok(keep)
}

/// Which tables are asked for.
struct Selection {
    /// None: all.
    tables: Option<Vec<Text>>,
}

impl Selection {
    fn new(schema: &Schema, names: &[String]) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(Self { tables: None });
        }
        let tables = names.iter().map(|name| Self::find(schema, name)).collect::<Result<_, _>>()?;
        Ok(Self { tables: Some(tables) })
    }

    /// As SQLite compares names: without regard to the case of ASCII letters.
    fn find(schema: &Schema, name: &str) -> Result<Text, Error> {
        let named = |object: &&Object| object.name.eq_ignore_ascii_case(name.as_bytes());
        let refusal = match schema
            .objects
            .iter()
            .filter(|object| matches!(object.kind, Kind::Table | Kind::View))
            .find(named)
        {
            Some(Object { kind: Kind::View, .. }) => {
                "it is a view, and views have no rows of their own"
            }
            Some(object) if object.table.as_ref().is_some_and(|table| table.flags.is_virtual) => {
                "it is a virtual table, and its rows live in other tables: export the whole database"
            }
            Some(object) => return Ok(object.name.clone()),
            None => "the database has no such table",
        };
        Err(Error::InvalidOptions(format!("table {name:?} can't be exported: {refusal}")))
    }

    fn has(&self, object: &Object) -> bool {
        match &self.tables {
            None => true,
            Some(tables) => {
                object.kind != Kind::View
                    && tables.iter().any(|table| table.eq_ignore_ascii_case(&object.on))
            }
        }
    }
}

/// Whether a name is one that SQLite keeps for itself.
fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
}

/// The steps so far; text that follows on text joins it.
#[derive(Default)]
struct Script {
    steps: Vec<Step>,
    warnings: Vec<String>,
}

impl Script {
    fn into_plan(mut self, encoding: Encoding) -> Plan {
        self.steps.push(Step::EndMark);
        Plan { steps: self.steps, encoding, warnings: self.warnings }
    }

    fn text(&mut self, text: &[u8]) {
        match self.steps.last_mut() {
            Some(Step::Text(last)) => last.extend_from_slice(text),
            _ => self.steps.push(Step::Text(text.to_vec())),
        }
    }

    fn line(&mut self, text: &[u8]) {
        self.text(text);
        self.text(b"\n");
    }

    /// A statement of the schema, exactly as stored.
    fn statement(&mut self, sql: &[u8]) {
        self.text(sql);
        self.text(match open_comment(sql) {
            None => b";\n",
            Some(Comment::Line) => b"\n;\n",
            Some(Comment::Block) => b"*/;\n",
        });
    }

    fn rows(&mut self, object: &Object, table: &Table, rowids: bool) -> Result<(), Error> {
        let stored: Vec<Text> = table
            .columns
            .iter()
            .filter(|column| column.kind == ColumnKind::Ordinary)
            .map(|column| column.name.clone())
            .collect();
        if stored.is_empty() {
            return Err(Error::ReadFailed(format!(
                "table {:?} is described without columns",
                String::from_utf8_lossy(&object.name)
            )));
        }
        // An INTEGER PRIMARY KEY is among the columns already.
        let rowid = table
            .rowid
            .clone()
            .filter(|rowid| rowids && !table.columns.iter().any(|column| column.name == *rowid));
        if rowids && rowid.is_none() && table.rowid.is_none() && !table.flags.without_rowid {
            self.warnings.push(format!(
                "table {:?} has columns named rowid, _rowid_ and oid: its rowids can't be kept",
                String::from_utf8_lossy(&object.name)
            ));
        }
        let named = rowid.is_some() || stored.len() < table.columns.len();
        let columns: Vec<Text> = rowid.into_iter().chain(stored).collect();
        let mut opening = b"INSERT INTO ".to_vec();
        write_name(&mut opening, &object.name);
        if named {
            for (index, column) in columns.iter().enumerate() {
                opening.push(if index == 0 { b'(' } else { b',' });
                write_name(&mut opening, column);
            }
            opening.push(b')');
        }
        opening.extend_from_slice(b" VALUES\n");
        let counted = !is_internal(&object.name);
        let table = object.name.clone();
        self.steps.push(Step::Rows(TableRows { table, columns, opening, counted }));
        Ok(())
    }

    /// The tables that SQLite keeps for itself: sequences and statistics. Their names are refused but for who
    /// may write the schema, and `sqlite_sequence` is there already if a table has AUTOINCREMENT.
    fn internal(&mut self, object: &Object) -> Result<(), Error> {
        let (Some(table), Some(sql)) = (&object.table, &object.sql) else { return Ok(()) };
        if is_internal(&object.name) {
            self.line(b"PRAGMA writable_schema=ON;");
            self.text(b"CREATE TABLE IF NOT EXISTS ");
            self.statement(sql.strip_prefix(b"CREATE TABLE ").unwrap_or(sql));
            self.line(b"PRAGMA writable_schema=OFF;");
            // As the tables were filled, it has come to hold the largest of their rowids.
            if object.name.eq_ignore_ascii_case(b"sqlite_sequence") {
                self.line(b"DELETE FROM sqlite_sequence;");
            }
            self.rows(object, table, false)?;
        }
        Ok(())
    }

    fn virtual_tables<'a>(&mut self, objects: impl Iterator<Item = &'a Object>) {
        let mut any = false;
        for object in objects {
            if let (Some(table), Some(sql)) = (&object.table, &object.sql)
                && table.flags.is_virtual
            {
                if !any {
                    self.line(b"PRAGMA writable_schema=ON;");
                    any = true;
                }
                let mut text =
                    b"INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES('table',"
                        .to_vec();
                for value in [&object.name, &object.on] {
                    super::text::write_literal(&mut text, value);
                    text.push(b',');
                }
                text.extend_from_slice(b"0,");
                super::text::write_literal(&mut text, sql);
                text.extend_from_slice(b");");
                self.line(&text);
            }
        }
        if any {
            self.line(b"PRAGMA writable_schema=OFF;");
        }
    }
}

/// A comment that is still open where a text ends.
#[derive(Debug, PartialEq)]
enum Comment {
    Line,
    Block,
}

/// Whether SQL ends inside a comment, which would swallow the semicolon behind it.
fn open_comment(sql: &[u8]) -> Option<Comment> {
    let mut rest = sql;
    while let [first, behind @ ..] = rest {
        let end: &[u8] = match (first, behind.first()) {
            (b'-', Some(b'-')) => b"\n",
            (b'/', Some(b'*')) => b"*/",
            (b'\'' | b'"' | b'`', _) => core::slice::from_ref(first),
            (b'[', _) => b"]",
            _ => {
                rest = behind;
                continue;
            }
        };
        // A comment's two opening bytes can't be part of its end: `/*/` is still open.
        let opening = if matches!(first, b'-' | b'/') { 2 } else { 1 };
        rest = &rest[opening..];
        match rest.windows(end.len()).position(|window| window == end) {
            Some(at) => rest = &rest[at + end.len()..],
            None => {
                return match end {
                    b"\n" => Some(Comment::Line),
                    b"*/" => Some(Comment::Block),
                    _ => None,
                };
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_at_the_end_is_noticed_and_one_inside_quotes_is_not() {
        for (sql, comment) in [
            ("CREATE VIEW v AS SELECT 1", None),
            ("CREATE VIEW v AS SELECT 1 -- one", Some(Comment::Line)),
            ("CREATE VIEW v AS SELECT 1 -- one\n", None),
            ("CREATE VIEW v AS SELECT 1 /* one", Some(Comment::Block)),
            ("CREATE VIEW v AS SELECT 1 /*/", Some(Comment::Block)),
            ("CREATE VIEW v AS SELECT 1 /* one */", None),
            ("CREATE VIEW v AS SELECT '--'", None),
            ("CREATE VIEW v AS SELECT 'it''s --'", None),
            ("CREATE VIEW [v--] AS SELECT \"/*\"", None),
            ("CREATE VIEW v AS SELECT '/*' -- x", Some(Comment::Line)),
        ] {
            assert_eq!(open_comment(sql.as_bytes()), comment, "{sql}");
        }
    }
}
