//! Which part of a database to export: which tables, their definitions or their rows, and how many rows.
//!
//! Any format may understand it: these are the option `tables` and the settings `exclude-table`, `content`, `limit` and
//! `filtered`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pipe::{Error, Object, ObjectKind, Options, Schema, Text};
use crate::tables::{is_internal, shadows_of, tables, tables_named};

/// The settings without `content`, for messages.
pub const SETTINGS: &str = "exclude-table=TABLE, limit=ROWS or filtered=TABLE";

/// Why virtual tables can't be chosen, and what to do instead, where definitions are exported and where rows alone are.
const VIRTUAL: &str =
    "it is a virtual table, whose data is in other tables: export the whole database";
const VIRTUAL_ROWS: &str = "it is a virtual table, whose data is in other tables: name those";

/// What of the chosen tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Definitions and rows.
    All,
    /// `content=schema`: definitions alone.
    Definitions,
    /// `content=data`: rows alone, for tables that are there.
    Rows,
}

/// A part of a database, or all of it.
pub struct Subset {
    /// The chosen tables, in lower case; none: all.
    chosen: Option<BTreeSet<Text>>,
    /// Tables that are left out though they may be chosen, with those that belong to them, in lower case.
    left_out: BTreeSet<Text>,
    /// Whether tables are left out by their names.
    excludes: bool,
    content: Content,
    limit: Option<u64>,
    /// Tables of which the host leaves rows out.
    filtered: Vec<Text>,
}

impl Subset {
    /// Whether a setting is one of these.
    pub fn has_setting(name: &str) -> bool {
        matches!(name, "exclude-table" | "content" | "limit" | "filtered")
    }

    /// Finds what the options ask for. A name or pattern that no table has is an error.
    pub fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        Self::find(schema, options, VIRTUAL)?.without_what_is_left_out(schema)
    }

    /// Finds it for a format that has no definitions: its rows alone are all it has of a table.
    pub fn of_rows(schema: &Schema, options: &Options) -> Result<Self, Error> {
        let mut subset = Self::find(schema, options, VIRTUAL_ROWS)?;
        if subset.content == Content::Definitions {
            return Err(Error::InvalidOptions(format!(
                "format {:?} has rows alone, so nothing is left of it without them: use format \"sql\" for the schema",
                options.format
            )));
        }
        subset.content = Content::All;
        subset.without_what_is_left_out(schema)
    }

    fn find(schema: &Schema, options: &Options, of_virtual: &'static str) -> Result<Self, Error> {
        let mut subset = Self {
            chosen: None,
            left_out: BTreeSet::new(),
            excludes: false,
            content: Content::All,
            limit: None,
            filtered: Vec::new(),
        };
        if !options.tables.is_empty() {
            let refusal = |object: &Object| Self::refusal(object, of_virtual);
            let mut chosen = BTreeSet::new();
            for name in &options.tables {
                let named = tables_named(schema, name, "exported", refusal)?;
                chosen.extend(named.iter().map(|name| name.to_ascii_lowercase()));
            }
            subset.chosen = Some(chosen);
        }
        for (name, value) in &options.settings {
            match name.as_str() {
                "exclude-table" => {
                    let refusal = |object: &Object| Self::refusal_to_exclude(schema, object);
                    subset.excludes = true;
                    let named = tables_named(schema, value, "left out", refusal)?;
                    subset.left_out.extend(named.iter().map(|name| name.to_ascii_lowercase()));
                }
                "content" => subset.content = content(value)?,
                "limit" => subset.limit = Some(limit(value)?),
                "filtered" => {
                    let refusal = |_: &Object| None;
                    let found = tables_named(schema, value, "filtered", refusal)?;
                    subset.filtered.extend(found);
                }
                _ => {}
            }
        }
        Ok(subset)
    }

    /// With all that belongs to what is left out. Some table must stay where tables are left out by their names, and those whose
    /// rows are chosen.
    fn without_what_is_left_out(mut self, schema: &Schema) -> Result<Self, Error> {
        self.leave_out_belongings(schema);
        if self.excludes && !tables(schema).any(|(object, _)| self.has(object)) {
            return Err(Error::InvalidOptions(
                "no table is left to export: all that were asked for are left out as well".into(),
            ));
        }
        let is_exported = |name: &Text| {
            tables(schema).any(|(object, _)| object.name == *name && self.has(object))
        };
        if let Some(name) = self.filtered.iter().find(|name| !is_exported(name)) {
            return Err(Error::InvalidOptions(format!(
                "there is a condition for table {:?}, which is not exported",
                String::from_utf8_lossy(name)
            )));
        }
        Ok(self)
    }

    /// Virtual tables take their shadow tables with them. Without rows these are nothing, and without definitions they are in
    /// the way of those that the definition makes.
    fn leave_out_belongings(&mut self, schema: &Schema) {
        let is_out = |name: &Text| self.left_out.contains(&name.to_ascii_lowercase());
        let mut belonging = Vec::new();
        for (object, table) in tables(schema) {
            let of_virtual = match table.flags.is_virtual {
                true if self.content == Content::Rows => true,
                true => is_out(&object.name),
                false => continue,
            };
            if of_virtual {
                belonging.push(object.name.to_ascii_lowercase());
            }
            if of_virtual || self.content == Content::Definitions {
                let shadows = shadows_of(schema, object);
                belonging.extend(shadows.map(|shadow| shadow.name.to_ascii_lowercase()));
            }
        }
        self.left_out.extend(belonging);
    }

    fn refusal(object: &Object, of_virtual: &'static str) -> Option<&'static str> {
        match &object.table {
            None => Some("it is a view, which has no rows of its own"),
            Some(table) => table.flags.is_virtual.then_some(of_virtual),
        }
    }

    fn refusal_to_exclude(schema: &Schema, object: &Object) -> Option<&'static str> {
        if object.table.is_none() {
            return Some("it is a view, which has no rows of its own");
        }
        let mut owners = tables(schema).filter(|(_, table)| table.flags.is_virtual);
        let is_shadow = owners
            .any(|(owner, _)| shadows_of(schema, owner).any(|found| found.name == object.name));
        is_shadow.then_some("it holds data of a virtual table: leave that one out")
    }

    /// Whether it is less than the whole database.
    pub fn is_part(&self) -> bool {
        self.chosen.is_some()
            || self.excludes
            || self.content != Content::All
            || self.limit.is_some()
            || !self.filtered.is_empty()
    }

    /// What is in it of each table.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The most rows of a table; none: all.
    pub fn max_rows(&self) -> Option<u64> {
        if self.content == Content::Definitions { Some(0) } else { self.limit }
    }

    /// Whether all tables are in it, with what SQLite keeps for itself.
    pub fn has_all_tables(&self) -> bool {
        self.chosen.is_none() && !self.excludes && self.content == Content::All
    }

    /// Whether an object is in it: a table, or what belongs to it.
    pub fn has(&self, object: &Object) -> bool {
        let on = object.on.to_ascii_lowercase();
        let is_chosen = match &self.chosen {
            None => self.has_all_tables() || !is_internal(&on),
            Some(chosen) => object.kind != ObjectKind::View && chosen.contains(&on),
        };
        let is_wanted = self.content != Content::Rows || object.kind == ObjectKind::Table;
        is_chosen && is_wanted && !self.left_out.contains(&on)
    }

    /// What it is a part by, in a few words; none: it is the whole database.
    pub fn description(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        match self.content {
            Content::All => {}
            Content::Definitions => words.push("the schema only".into()),
            Content::Rows => words.push("the data only".into()),
        }
        if self.chosen.is_some() || self.excludes {
            words.push("some of its tables".into());
        }
        if let Some(limit) = self.limit.filter(|_| self.content != Content::Definitions) {
            words.push(format!("at most {limit} rows of a table"));
        }
        for name in &self.filtered {
            words.push(format!("some rows of table {:?}", String::from_utf8_lossy(name)));
        }
        self.is_part().then(|| words.join(", "))
    }

    /// Foreign keys whose parents may be missing, one sentence each.
    pub fn warnings(&self, schema: &Schema) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.is_part() || self.content == Content::Definitions {
            return warnings;
        }
        let names = tables(schema).map(|(table, _)| (table.name.to_ascii_lowercase(), table));
        let by_name: BTreeMap<Text, &Object> = names.collect();
        let lacks_rows =
            |parent: &Object| self.limit.is_some() || self.filtered.contains(&parent.name);
        for (object, table) in tables(schema).filter(|(object, _)| self.has(object)) {
            for parent in &table.references {
                let found = by_name.get(&parent.to_ascii_lowercase());
                let Some(found) = found else { continue };
                let what = match self.has(found) {
                    false => "which is not in the same object",
                    true if lacks_rows(found) => "of which rows are left out",
                    true => continue,
                };
                warnings.push(format!(
                    "table {:?} references {:?}, {what}: its foreign key may not hold",
                    String::from_utf8_lossy(&object.name),
                    String::from_utf8_lossy(&found.name)
                ));
            }
        }
        if self.content == Content::Rows {
            for (object, table) in tables(schema) {
                if table.flags.is_virtual && self.chosen.is_none() {
                    warnings.push(format!(
                        "virtual table {:?} is left out: its data can't be loaded without its definition",
                        String::from_utf8_lossy(&object.name)
                    ));
                }
            }
        }
        warnings
    }
}

fn content(value: &str) -> Result<Content, Error> {
    match value {
        "all" => Ok(Content::All),
        "schema" => Ok(Content::Definitions),
        "data" => Ok(Content::Rows),
        _ => Err(Error::InvalidOptions(format!(
            "there is no content {value:?}: use all, schema or data"
        ))),
    }
}

fn limit(value: &str) -> Result<u64, Error> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| {
        Error::InvalidOptions(format!("the limit {value:?} is not a number of rows"))
    })
}
