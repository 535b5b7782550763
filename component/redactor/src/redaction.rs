//! The redacted schema, and what to do with each table's rows.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::changed_rows::{Output, Passage};
use crate::cursor::RedactedCursor;
use crate::decisions::{Decisions, TableRules, decide, is_internal, same, shown};
use crate::definition::{Changed, Surroundings, changed_names, column_rules, rewrite};
use crate::dependents::{self, refusal};
use crate::filter::Filter;
use crate::index;
use crate::policy::{Dependents, Policy, Rule};
use crate::replacement::{Key, Replacement, encoded, replacement};
use crate::tokens::{tokens, without_comments};
use partway_rows::{ColumnKind, Object, ObjectKind, Rows, RowsError, Schema, Table, Text};

/// How many bytes of the policy's digest are in a position.
pub(crate) const DIGEST: usize = 8;

/// A policy applied to a database.
pub struct Redaction {
    schema: Schema,
    /// None: the policy changes nothing.
    changes: Option<Changes>,
}

struct Changes {
    /// By the table's name, as the schema has it.
    tables: BTreeMap<Text, TablePlan>,
    key: Option<Key>,
    digest: [u8; DIGEST],
}

/// What to do with a table's rows.
struct TablePlan {
    /// For each column of the redacted schema, what stands for its values; none: they are kept.
    columns: Vec<(Text, Option<Replacement>)>,
    /// The name of the rowid, if it is no column.
    rowid: Option<Text>,
    filter: Option<Filter>,
    /// A stored column, to count rows by.
    any: Text,
}

impl Redaction {
    /// Applies a policy to a database's schema.
    ///
    /// # Errors
    ///
    /// [`RowsError::Unavailable`] if the policy does not fit the schema, with the reason.
    pub fn new(schema: Schema, policy: &Policy) -> Result<Self, RowsError> {
        Self::apply(schema, policy)
            .map_err(|why| RowsError::Unavailable(format!("redaction: {why}")))
    }

    /// The schema as the importer may see it.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Opens a table, as [`Rows::scan`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Rows::scan`]. What is left out is unknown, and a position made under another policy is invalid.
    pub fn scan<R: Rows>(
        &self,
        rows: &R,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<RedactedCursor<R::Cursor>, RowsError> {
        // A host may have more to give than it describes: the database's pages, with all that was ever deleted.
        let is_described = |object: &Object| object.table.is_some() && object.name == table;
        if !self.schema.objects.iter().any(is_described) {
            return Err(unknown_table(table));
        }
        let Some(changes) = &self.changes else {
            return Ok(RedactedCursor::unchanged(rows.scan(table, columns, after)?));
        };
        let plan = changes.tables.get(table).ok_or_else(|| unknown_table(table))?;
        let after = match after {
            None => None,
            Some(after) => Some(after.strip_prefix(&changes.digest[..]).ok_or_else(|| {
                RowsError::InvalidPosition("the position was made under another policy".into())
            })?),
        };
        let (names, passage) = plan.passage(table, columns, changes)?;
        let cursor = rows.scan(table, &names, after)?;
        Ok(RedactedCursor::new(cursor, passage, changes.digest))
    }

    fn apply(schema: Schema, policy: &Policy) -> Result<Self, String> {
        policy.check().map_err(|error| format!("{error}"))?;
        let mut decisions = decide(&schema, policy)?;
        if !decisions.change_anything() {
            return Ok(Self { schema, changes: None });
        }
        dependents::leave_out(&schema, policy.dependents, &mut decisions)?;
        let key = policy.key.as_ref().map(|key| Key::new(key.as_bytes())).transpose()?;
        let json = policy.to_json().map_err(|error| format!("{error}"))?;
        let digest = Sha256::digest(json.as_bytes());
        let mut redacted = Redacted::new(&schema, &decisions, policy.dependents)?;
        redacted.objects()?;
        let (objects, tables) = redacted.finish();
        let changes = Changes {
            tables,
            key,
            digest: digest.first_chunk::<DIGEST>().copied().unwrap_or_default(),
        };
        Ok(Self { schema: Schema { objects, ..schema }, changes: Some(changes) })
    }
}

impl TablePlan {
    /// What to ask the inner table for, and how to make the asked columns of it.
    fn passage(
        &self,
        table: &[u8],
        columns: &[Text],
        changes: &Changes,
    ) -> Result<(Vec<Text>, Passage), RowsError> {
        let mut names: Vec<Text> = Vec::new();
        let mut place = |name: &Text| match names.iter().position(|found| found == name) {
            Some(at) => at,
            None => {
                names.push(name.clone());
                names.len() - 1
            }
        };
        // The first column of a row is long only if it is itself.
        let filter = self.filter.clone();
        if let Some(filter) = &filter {
            place(filter.column());
        }
        let mut outputs = Vec::with_capacity(columns.len());
        for name in columns {
            let column = self.columns.iter().find(|(found, _)| found == name);
            outputs.push(match column {
                Some((_, Some(Replacement::Constant(constant)))) => {
                    Output::Constant(constant.clone())
                }
                Some((_, Some(Replacement::Hash(form)))) => Output::Hash(place(name), *form),
                Some((_, None)) => Output::Kept(place(name)),
                None if self.rowid.as_ref() == Some(name) => Output::Kept(place(name)),
                None => {
                    return Err(RowsError::UnknownColumn(format!(
                        "table {} has no column {}",
                        shown(table),
                        shown(name)
                    )));
                }
            });
        }
        if names.is_empty() {
            names.push(self.any.clone());
        }
        let key = changes.key.clone();
        Ok((names.clone(), Passage { outputs, columns: names.len(), filter, key }))
    }
}

/// The redacted schema, as far as it is made.
struct Redacted<'a> {
    schema: &'a Schema,
    decisions: &'a Decisions<'a>,
    /// The rules for each column of a table of which only a part is kept, by its place in the schema.
    rules: Vec<Option<Vec<Rule>>>,
    surroundings: Surroundings,
    objects: Vec<Object>,
    tables: BTreeMap<Text, TablePlan>,
    /// Tables whose counters may pass, as `sqlite_sequence` names them.
    counters: Vec<Text>,
}

impl<'a> Redacted<'a> {
    fn new(
        schema: &'a Schema,
        decisions: &'a Decisions<'a>,
        dependents: Dependents,
    ) -> Result<Self, String> {
        let mut rules: Vec<Option<Vec<Rule>>> = vec![None; schema.objects.len()];
        let mut gone = BTreeSet::new();
        let mut changed = BTreeMap::new();
        for (index, object) in schema.objects.iter().enumerate() {
            let Some(table) = &object.table else { continue };
            let name = object.name.to_ascii_lowercase();
            if decisions.left_out[index] {
                gone.insert(name);
            } else if let Some(found) = &decisions.rules[index] {
                let found = column_rules(object, table, found, dependents)?;
                let mut columns = table.columns.iter().zip(&found);
                let key =
                    columns.any(|(column, rule)| column.primary_key > 0 && *rule != Rule::Keep);
                changed.insert(name, Changed { columns: changed_names(table, &found), key });
                rules[index] = Some(found);
            }
        }
        Ok(Self {
            schema,
            decisions,
            rules,
            surroundings: Surroundings { gone, changed, dependents },
            objects: Vec::new(),
            tables: BTreeMap::new(),
            counters: Vec::new(),
        })
    }

    fn finish(self) -> (Vec<Object>, BTreeMap<Text, TablePlan>) {
        (self.objects, self.tables)
    }

    fn objects(&mut self) -> Result<(), String> {
        let schema = self.schema;
        for (index, object) in schema.objects.iter().enumerate() {
            if self.decisions.left_out[index] {
                continue;
            }
            match (&object.table, object.kind) {
                // They come at the end, when it is known whose counters may pass.
                (Some(_), _) if is_internal(&object.name) => {}
                (Some(table), _) => self.table(index, object, table)?,
                (None, ObjectKind::Index) => self.index(object)?,
                (None, _) => self.push_without_comments(object.clone())?,
            }
        }
        self.sequence()
    }

    fn push_without_comments(&mut self, mut object: Object) -> Result<(), String> {
        if let Some(sql) = &object.sql {
            let text = without_comments(sql);
            object.sql =
                Some(text.ok_or_else(|| refusal(&object, "its definition can't be read"))?);
        }
        self.objects.push(object);
        Ok(())
    }

    fn table(&mut self, index: usize, object: &Object, table: &Table) -> Result<(), String> {
        let keep = vec![Rule::Keep; table.columns.len()];
        let names_gone = |name: &Text| {
            let name = name.to_ascii_lowercase();
            self.surroundings.gone.contains(&name) || self.surroundings.changed.contains_key(&name)
        };
        let has_rules = self.rules[index].is_some();
        let rules = self.rules[index].clone().unwrap_or(keep);
        if table.flags.is_virtual {
            return self.push_without_comments(object.clone());
        }
        let mut outer = object.clone();
        let mut details = table.clone();
        if has_rules || table.references.iter().any(names_gone) {
            let filter = self.decisions.rules[index].as_ref().and_then(|rules| rules.rows);
            let definition = rewrite(object, table, &rules, filter.is_some(), &self.surroundings)?;
            details.references = referenced(&definition.sql, &table.references);
            outer.sql = Some(definition.sql);
            redact_details(&mut details, &rules, definition.has_key);
            if filter.is_some() {
                details.estimated_rows = None;
            }
        }
        let plan =
            self.plan(object, table, &rules, self.decisions.rules[index].as_ref(), &details)?;
        self.tables.insert(object.name.clone(), plan);
        let key_is_kept = table
            .columns
            .iter()
            .zip(&rules)
            .all(|(column, rule)| column.primary_key == 0 || *rule == Rule::Keep);
        let is_filtered =
            self.decisions.rules[index].as_ref().is_some_and(|rules| rules.rows.is_some());
        if key_is_kept && !is_filtered && counts(outer.sql.as_deref()) {
            self.counters.push(object.name.clone());
        }
        outer.table = Some(details);
        self.push_without_comments(outer)
    }

    fn plan(
        &self,
        object: &Object,
        table: &Table,
        rules: &[Rule],
        decided: Option<&TableRules<'_>>,
        outer: &Table,
    ) -> Result<TablePlan, String> {
        let of_table = |why: String| format!("table {}: {why}", shown(&object.name));
        let mut columns = Vec::with_capacity(table.columns.len());
        for (column, rule) in table.columns.iter().zip(rules) {
            if *rule != Rule::Drop {
                let replacement =
                    replacement(rule, column, table.flags.strict, self.schema.encoding);
                columns.push((column.name.clone(), replacement.map_err(of_table)?));
            }
        }
        let filter = decided.and_then(|rules| rules.rows).map(|filter| {
            let column =
                table.columns.iter().find(|column| same(&column.name, filter.column.as_bytes()));
            let name = column.map(|column| column.name.clone()).unwrap_or_default();
            Filter::comparison(name, filter, self.schema.encoding)
        });
        let stored = table.columns.iter().find(|column| column.kind == ColumnKind::Ordinary);
        let any = stored.map(|column| column.name.clone()).unwrap_or_default();
        Ok(TablePlan { columns, rowid: outer.rowid.clone(), filter, any })
    }

    fn index(&mut self, object: &Object) -> Result<(), String> {
        let mut tables = self.schema.objects.iter().enumerate();
        let table = tables
            .find(|(_, table)| table.kind == ObjectKind::Table && same(&table.name, &object.on));
        let Some((index, table)) = table else { return Ok(()) };
        let Some(details) = &table.table else { return Ok(()) };
        let Some(rules) = &self.rules[index] else {
            return self.push_without_comments(object.clone());
        };
        if object.sql.is_none() {
            // The table's definition, as far as it is left, makes it again.
            return Ok(());
        }
        let is_filtered =
            self.decisions.rules[index].as_ref().is_some_and(|rules| rules.rows.is_some());
        if index::may_stay(object, details, rules, is_filtered) {
            return self.push_without_comments(object.clone());
        }
        match self.surroundings.dependents {
            Dependents::LeaveOut => Ok(()),
            Dependents::Refuse => Err(refusal(
                object,
                "it names a column that is left out or changed, or has a constant while rows are left out",
            )),
        }
    }

    /// `sqlite_sequence`, with the counters that may pass. Of SQLite's own tables the others hold statistics, which tell
    /// values and numbers of rows; `ANALYZE` makes them again.
    fn sequence(&mut self) -> Result<(), String> {
        let any_counts = self
            .objects
            .iter()
            .any(|object| object.table.is_some() && counts(object.sql.as_deref()));
        let is_sequence = |object: &&Object| same(&object.name, b"sqlite_sequence");
        let Some(object) = self.schema.objects.iter().find(is_sequence) else { return Ok(()) };
        let Some(table) = object.table.as_ref().filter(|_| any_counts) else { return Ok(()) };
        let Some(column) = table.columns.first().map(|column| column.name.clone()) else {
            return Ok(());
        };
        let encoding = self.schema.encoding;
        let names = self.counters.iter().filter_map(|name| core::str::from_utf8(name).ok());
        let names: Vec<Text> = names.map(|name| encoded(name, encoding)).collect();
        let columns = table.columns.iter().map(|column| (column.name.clone(), None)).collect();
        let filter = Some(Filter::one_of(column.clone(), names));
        let plan = TablePlan { columns, rowid: table.rowid.clone(), filter, any: column };
        self.tables.insert(object.name.clone(), plan);
        self.objects.push(object.clone());
        Ok(())
    }
}

fn unknown_table(name: &[u8]) -> RowsError {
    RowsError::UnknownTable(format!("there is no table {}", shown(name)))
}

/// Whether a table has a counter in `sqlite_sequence`.
fn counts(sql: Option<&[u8]>) -> bool {
    let Some(tokens) = sql.and_then(tokens) else { return false };
    tokens.iter().any(|token| token.is("AUTOINCREMENT"))
}

/// Which of these tables SQL still references.
fn referenced(sql: &[u8], tables: &[Text]) -> Vec<Text> {
    let tokens = tokens(sql).unwrap_or_default();
    let is_named = |table: &&Text| {
        tokens.windows(2).any(|pair| {
            pair[0].is("REFERENCES") && pair[1].name().is_some_and(|name| same(&name, table))
        })
    };
    tables.iter().filter(is_named).cloned().collect()
}

/// A table's details without the columns that are dropped.
fn redact_details(table: &mut Table, rules: &[Rule], has_key: bool) {
    let mut key = table.columns.iter().filter(|column| column.primary_key > 0);
    let may_be_rowid = match (key.next(), key.next()) {
        (Some(column), None) => same(&column.declared_type, b"INTEGER"),
        _ => false,
    };
    let rule_of_key = table
        .columns
        .iter()
        .zip(rules)
        .find(|(column, _)| column.primary_key > 0)
        .map_or(Rule::Keep, |(_, rule)| rule.clone());
    // The rowid is the key's value. A hash of it is the new table's rowid, by the column's name.
    let tells = may_be_rowid && (rule_of_key != Rule::Keep || !has_key);
    let is_column = |name: &Text| table.columns.iter().any(|column| same(&column.name, name));
    if tells {
        table.rowid = table
            .rowid
            .take()
            .filter(|name| has_key && rule_of_key == Rule::Hash && is_column(name));
    }
    let mut kept = rules.iter().map(|rule| *rule != Rule::Drop);
    table.columns.retain(|_| kept.next().unwrap_or(true));
    if !has_key {
        for column in &mut table.columns {
            column.primary_key = 0;
        }
    }
}
