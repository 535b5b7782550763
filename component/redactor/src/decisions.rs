//! The policy applied to a schema: what becomes of each table.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::policy::{Policy, RowFilter, Rule, TablePolicy, Unlisted};
use partway_rows::{Column, ColumnKind, Object, ObjectKind, Schema, Table};

/// What becomes of a schema's objects, by their place in it.
pub(crate) struct Decisions<'a> {
    /// Whether an object is left out.
    pub(crate) left_out: Vec<bool>,
    /// What becomes of the columns and rows of a table of which only a part is kept.
    pub(crate) rules: Vec<Option<TableRules<'a>>>,
    /// The virtual table that a shadow table belongs to.
    pub(crate) owners: Vec<Option<usize>>,
}

/// What becomes of a table of which only a part is kept.
pub(crate) struct TableRules<'a> {
    /// For each column, in the order of the schema.
    pub(crate) columns: Vec<Rule>,
    /// Which rows are kept.
    pub(crate) rows: Option<&'a RowFilter>,
}

impl Decisions<'_> {
    /// Whether the policy changes anything.
    pub(crate) fn change_anything(&self) -> bool {
        self.left_out.contains(&true) || self.rules.iter().any(Option::is_some)
    }
}

/// Names as SQLite compares them.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// A name, in quotes, for messages.
pub(crate) fn shown(name: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(name))
}

/// Whether a name is one that SQLite keeps for itself.
pub(crate) fn is_internal(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| same(start, b"sqlite_"))
}

/// Applies a policy. A name that the database does not have, and a table or column that the policy does not name where
/// it must, are errors.
pub(crate) fn decide<'a>(schema: &Schema, policy: &'a Policy) -> Result<Decisions<'a>, String> {
    let count = schema.objects.len();
    let mut named = vec![false; count];
    let mut decisions = Decisions {
        left_out: vec![false; count],
        rules: (0..count).map(|_| None).collect(),
        owners: owners(schema),
    };
    let mut name = |index: usize, text: &str| {
        if core::mem::replace(&mut named[index], true) {
            return Err(format!("the policy names {text:?} more than once"));
        }
        Ok(())
    };
    for text in &policy.leave_out {
        let of_that_name = (0..count).filter(|index| {
            let object = &schema.objects[*index];
            same(&object.name, text.as_bytes()) && !is_internal(&object.name)
        });
        let found: Vec<usize> = of_that_name.collect();
        if found.is_empty() {
            return Err(format!(
                "the policy leaves out {text:?}, but the database has no table, view, index or trigger of that name"
            ));
        }
        for index in found {
            name(index, text)?;
            decisions.left_out[index] = true;
        }
    }
    for text in &policy.keep {
        name(find(schema, text)?, text)?;
    }
    for (text, rules) in &policy.tables {
        let index = find(schema, text)?;
        name(index, text)?;
        if let Some(table) = &schema.objects[index].table {
            decisions.rules[index] = table_rules(text, table, rules, policy.unlisted)?;
        }
    }
    decide_unlisted(schema, policy, &named, &mut decisions)?;
    Ok(decisions)
}

/// The table of this name.
fn find(schema: &Schema, name: &str) -> Result<usize, String> {
    let is_it = |object: &Object| {
        object.kind == ObjectKind::Table
            && same(&object.name, name.as_bytes())
            && !is_internal(&object.name)
    };
    schema
        .objects
        .iter()
        .position(is_it)
        .ok_or_else(|| format!("the policy names table {name:?}, which the database does not have"))
}

/// The rule for each column; none: all is kept.
fn table_rules<'a>(
    name: &str,
    table: &Table,
    policy: &'a TablePolicy,
    unlisted: Unlisted,
) -> Result<Option<TableRules<'a>>, String> {
    if table.flags.is_virtual || table.flags.shadow {
        return Err(format!(
            "table {name:?} is a virtual table or belongs to one: the policy can only keep it or leave it out"
        ));
    }
    let place = |column: &str| {
        let found = table.columns.iter().position(|found| same(&found.name, column.as_bytes()));
        found.ok_or_else(|| {
            format!(
                "the policy names column {column:?} of table {name:?}, which has no such column"
            )
        })
    };
    let mut rules: Vec<Option<Rule>> = vec![None; table.columns.len()];
    for (column, rule) in &policy.columns {
        if rules[place(column)?].replace(rule.clone()).is_some() {
            return Err(format!("the policy names column {column:?} of table {name:?} twice"));
        }
    }
    if let Some(filter) = &policy.rows
        && table.columns[place(&filter.column)?].kind != ColumnKind::Ordinary
    {
        return Err(format!(
            "table {name:?}: rows can't be chosen by column {:?}, which is computed",
            filter.column
        ));
    }
    let mut columns = Vec::with_capacity(rules.len());
    for (column, rule) in table.columns.iter().zip(rules) {
        let column_name = shown(&column.name);
        let rule = match (rule, unlisted) {
            (Some(rule), _) => rule,
            (None, Unlisted::Keep) => Rule::Keep,
            (None, Unlisted::Refuse) => {
                return Err(format!(
                    "the policy says nothing of column {column_name} of table {name:?}"
                ));
            }
        };
        check_rule(name, table, column, &rule)?;
        columns.push(rule);
    }
    let dropped = |(column, rule): (&Column, &Rule)| {
        *rule == Rule::Drop || column.kind != ColumnKind::Ordinary
    };
    if table.columns.iter().zip(&columns).all(dropped) {
        return Err(format!("nothing of table {name:?} is kept: leave it out"));
    }
    let keeps_all = policy.rows.is_none() && columns.iter().all(|rule| *rule == Rule::Keep);
    Ok((!keeps_all).then_some(TableRules { columns, rows: policy.rows.as_ref() }))
}

/// Whether a column can be treated so.
fn check_rule(name: &str, table: &Table, column: &Column, rule: &Rule) -> Result<(), String> {
    let column_name = shown(&column.name);
    if column.kind != ColumnKind::Ordinary && !matches!(rule, Rule::Keep | Rule::Drop) {
        return Err(format!(
            "table {name:?}: column {column_name} is computed: it can only be kept or dropped"
        ));
    }
    let loses_key = matches!(rule, Rule::Mask | Rule::Value(_) | Rule::Null | Rule::Drop);
    if column.primary_key > 0 && table.flags.without_rowid && loses_key {
        return Err(format!(
            "table {name:?} is WITHOUT ROWID: column {column_name} is in its key, and can only be kept or hashed"
        ));
    }
    Ok(())
}

/// The tables that the policy does not name.
fn decide_unlisted(
    schema: &Schema,
    policy: &Policy,
    named: &[bool],
    decisions: &mut Decisions<'_>,
) -> Result<(), String> {
    let changes = decisions.change_anything();
    for (index, object) in schema.objects.iter().enumerate() {
        let Some(table) = &object.table else { continue };
        let name = shown(&object.name);
        let owner = decisions.owners[index];
        if let Some(owner) = owner.filter(|_| table.flags.shadow) {
            // It goes where the virtual table goes, whose data it holds.
            let is_left_out = decisions.left_out[owner];
            if named[index] && decisions.left_out[index] != is_left_out {
                return Err(format!(
                    "table {name} holds data of {}: keep both or leave both out",
                    shown(&schema.objects[owner].name)
                ));
            }
            decisions.left_out[index] = is_left_out;
            continue;
        }
        if named[index] || is_internal(&object.name) {
            continue;
        }
        if policy.unlisted == Unlisted::Refuse {
            return Err(format!("the policy says nothing of table {name}"));
        }
        if changes && (table.flags.is_virtual || table.flags.shadow || owner.is_some()) {
            return Err(format!(
                "table {name} is a virtual table or may belong to one, and so may hold copies of what is left out: \
                 the policy must say whether to keep it or leave it out"
            ));
        }
    }
    Ok(())
}

/// The virtual table that each table may belong to, by its name: `NAME_…`.
fn owners(schema: &Schema) -> Vec<Option<usize>> {
    let is_virtual =
        |object: &Object| object.table.as_ref().is_some_and(|table| table.flags.is_virtual);
    let virtual_tables: Vec<(usize, &Object)> =
        schema.objects.iter().enumerate().filter(|(_, object)| is_virtual(object)).collect();
    let owner = |object: &Object| {
        if object.kind != ObjectKind::Table || is_virtual(object) {
            return None;
        }
        let owns = |(_, owner): &&(usize, &Object)| {
            let length = owner.name.len();
            object.name.get(length) == Some(&b'_') && same(&object.name[..length], &owner.name)
        };
        let longest = virtual_tables.iter().filter(owns).max_by_key(|(_, owner)| owner.name.len());
        longest.map(|(index, _)| *index)
    };
    schema.objects.iter().map(owner).collect()
}
