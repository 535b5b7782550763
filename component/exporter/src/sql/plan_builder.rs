//! Builds the plan of a dump from text, definitions and tables.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::literal::LiteralWriter;
use super::name::write_name;
use super::plan::{Insert, Plan};
use super::schema_text::{one_line, survives, with_returns_doubled};
use super::scratch_table::ScratchTable;
use super::settings::Settings;
use super::text::write_text_literal;
use crate::format::{Step, TableRows};
use crate::pipe::{ColumnKind, Encoding, Error, Object, ObjectKind, Schema, Table, Text};
use crate::subset::{Content, Subset};
use crate::tables::{is_internal, quoted_name};

/// Goes up with changes that readers of dumps have to know of.
const FORMAT_VERSION: u32 = 1;

/// The steps so far. Text after text joins the same step.
pub(super) struct PlanBuilder {
    settings: Settings,
    content: Content,
    max_rows: Option<u64>,
    pub(super) scratch: ScratchTable,
    steps: Vec<Step<Insert>>,
    warnings: Vec<String>,
}

impl PlanBuilder {
    /// Begins with the comment that every dump begins with, and for a part of a database with one that says which.
    pub(super) fn new(schema: &Schema, settings: Settings, subset: &Subset) -> Self {
        let scratch = ScratchTable::new(schema, settings.target);
        let (steps, warnings) = (Vec::new(), Vec::new());
        let (content, max_rows) = (subset.content(), subset.max_rows());
        let mut script = Self { settings, content, max_rows, scratch, steps, warnings };
        script.line(format!("-- partway:begin sql {FORMAT_VERSION}").as_bytes());
        if let Some(part) = subset.description() {
            script.line(format!("-- partway:part {part}").as_bytes());
        }
        script
    }

    pub(super) fn build(self, encoding: Encoding) -> Plan {
        let Self { settings, max_rows, scratch, steps, warnings, .. } = self;
        let Settings { target, .. } = settings;
        let literals =
            LiteralWriter::new(encoding, target.is_utf8(), target.keeps_carriage_returns());
        Plan {
            steps,
            warnings,
            encoding,
            limits: target.limits(literals.converts()),
            literals,
            scratch,
            skip_damaged: settings.skip_damaged,
            max_rows,
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// What is in the dump of each table.
    pub(super) fn content(&self) -> Content {
        self.content
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        let text = &*self.as_read(text);
        match self.steps.last_mut() {
            Some(Step::Text(last)) => last.extend_from_slice(text),
            _ => self.steps.push(Step::Text(text.to_vec())),
        }
    }

    /// Text of which the target reads this text.
    fn as_read<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.settings.target.keeps_carriage_returns() {
            Cow::Borrowed(text)
        } else {
            with_returns_doubled(text)
        }
    }

    pub(super) fn line(&mut self, text: &[u8]) {
        self.text(text);
        self.text(b"\n");
    }

    /// The comment at the end, with the counts.
    pub(super) fn end_mark(&mut self) {
        self.steps.push(Step::End);
    }

    /// An object's definition, exactly as stored. Where the stock program would change the text, an
    /// equivalent text is run, and the stored one put in its place.
    pub(super) fn definition(&mut self, object: &Object, sql: &[u8]) {
        if self.content == Content::Rows {
            return;
        }
        if survives(sql) {
            self.text(sql);
            return self.line(b";");
        }
        self.text(&one_line(sql));
        self.line(b";");
        self.line(b"PRAGMA writable_schema=ON;");
        let mut text = b"UPDATE sqlite_master SET sql=".to_vec();
        write_text_literal(&mut text, sql);
        text.extend_from_slice(b" WHERE type=");
        write_text_literal(&mut text, kind_name(object.kind).as_bytes());
        text.extend_from_slice(b" AND name=");
        write_text_literal(&mut text, &object.name);
        self.text(&text);
        self.line(b";");
        // Ends writing, and reads the schema again.
        self.line(b"PRAGMA writable_schema=RESET;");
    }

    /// The rows of a table, with all columns that are stored.
    pub(super) fn rows(&mut self, object: &Object, table: &Table) -> Result<(), Error> {
        self.only_rows(object, table, None)
    }

    /// The rows in whose first column is one of these texts, in the database's encoding; none: all rows.
    fn only_rows(
        &mut self,
        object: &Object,
        table: &Table,
        only: Option<Vec<Text>>,
    ) -> Result<(), Error> {
        let stored: Vec<Text> = table
            .columns
            .iter()
            .filter(|column| column.kind == ColumnKind::Ordinary)
            .map(|column| column.name.clone())
            .collect();
        if stored.is_empty() {
            let text = format!(
                "table {} has no stored columns in the schema that the host gave",
                quoted_name(&object.name)
            );
            return Err(Error::ReadFailed(text));
        }
        // Nothing depends on rowids in SQLite's own tables. An INTEGER PRIMARY KEY is among the columns
        // already.
        let counted = !is_internal(&object.name);
        let rowids = self.settings.keep_rowids && counted;
        let rowid = table.rowid.clone().filter(|_| rowids && !rowid_is_column(table));
        if rowids && table.rowid.is_none() && !table.flags.without_rowid {
            let name = quoted_name(&object.name);
            self.warn(match hides_rowid(table) {
                true => format!(
                    "table {name} has columns named rowid, _rowid_ and oid: its rowids can't be kept"
                ),
                // A component before this one keeps them back.
                false => format!("table {name} comes without its rowids: they are not kept"),
            });
        }
        let is_named = rowid.is_some() || stored.len() < table.columns.len();
        let columns: Vec<Text> = rowid.into_iter().chain(stored).collect();
        let names = if is_named { &columns[..] } else { &[] };
        self.steps.push(Step::Rows(TableRows {
            table: object.name.clone(),
            format: Insert {
                opening: self.as_read(&opening(&object.name, names)).into_owned(),
                single_row: columns.len() > self.settings.target.max_values(),
            },
            columns,
            counted,
            only,
        }));
        Ok(())
    }

    /// The counters of these tables: their rows of `sqlite_sequence`, which exists where one of them does. Those of
    /// other tables stay as they are: the dump may be restored into a database that has some.
    pub(super) fn counters(&mut self, schema: &Schema, tables: &[Text]) -> Result<(), Error> {
        let is_sequence = |object: &&Object| object.name.eq_ignore_ascii_case(b"sqlite_sequence");
        let Some(object) = schema.objects.iter().find(is_sequence) else { return Ok(()) };
        let Some(table) = object.table.as_ref().filter(|_| !tables.is_empty()) else {
            return Ok(());
        };
        // Filling the tables has put their largest rowids into it.
        for name in tables {
            let mut text = b"DELETE FROM sqlite_sequence WHERE name=".to_vec();
            write_text_literal(&mut text, name);
            text.push(b';');
            self.line(&text);
        }
        let names = tables.iter().map(|name| encoded(name, schema.encoding)).collect();
        self.only_rows(object, table, Some(names))
    }

    /// Warns where rowids are left out that a virtual table finds rows by.
    pub(super) fn warn_of_rowids(&mut self, schema: &Schema, objects: &[&Object]) {
        if self.settings.keep_rowids {
            return;
        }
        let tables =
            || schema.objects.iter().filter_map(|object| Some((object, object.table.as_ref()?)));
        let indexes: Vec<Vec<u8>> = tables()
            .filter(|(_, table)| table.flags.is_virtual)
            .filter_map(|(object, _)| Some(object.sql.as_ref()?.to_ascii_lowercase()))
            .collect();
        for object in objects {
            let Some(table) = &object.table else { continue };
            let name = object.name.to_ascii_lowercase();
            let refers = |sql: &Vec<u8>| sql.windows(name.len().max(1)).any(|at| at == name);
            let loses = table.rowid.is_some() && !rowid_is_column(table);
            if loses && !is_internal(&object.name) && indexes.iter().any(refers) {
                self.warn(format!(
                    "table {} is exported without its rowids: rebuild the virtual table with content={} after \
                     the restore",
                    quoted_name(&object.name),
                    String::from_utf8_lossy(&object.name)
                ));
            }
        }
    }

    /// The rows of one table, inserted into another.
    pub(super) fn rows_into(&mut self, from: &Text, columns: Vec<Text>, to: &Text, names: &[Text]) {
        self.steps.push(Step::Rows(TableRows {
            table: from.clone(),
            format: Insert { opening: opening(to, names), single_row: false },
            columns,
            counted: true,
            only: None,
        }));
    }
}

/// A name as a cell of the database holds it.
fn encoded(name: &Text, encoding: Encoding) -> Text {
    let units = || core::str::from_utf8(name).unwrap_or_default().encode_utf16();
    match encoding {
        Encoding::Utf8 => name.clone(),
        Encoding::Utf16le => units().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16be => units().flat_map(u16::to_be_bytes).collect(),
    }
}

/// The schema table's word for a kind of object.
fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::Index => "index",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
    }
}

/// Whether columns have all of the rowid's names.
fn hides_rowid(table: &Table) -> bool {
    let names: [&[u8]; 3] = [b"rowid", b"_rowid_", b"oid"];
    names
        .iter()
        .all(|name| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
}

/// Whether a table's rowid is one of its columns, an INTEGER PRIMARY KEY.
fn rowid_is_column(table: &Table) -> bool {
    table.columns.iter().any(|column| Some(&column.name) == table.rowid.as_ref())
}

/// The beginning of a statement of rows; no names: all columns.
fn opening(table: &[u8], names: &[Text]) -> Vec<u8> {
    let mut opening = b"INSERT INTO ".to_vec();
    write_name(&mut opening, table);
    for (index, name) in names.iter().enumerate() {
        opening.push(if index == 0 { b'(' } else { b',' });
        write_name(&mut opening, name);
    }
    if !names.is_empty() {
        opening.push(b')');
    }
    opening.extend_from_slice(b" VALUES\n");
    opening
}
