//! A part of a database: the settings by which a component leaves the rest out, and how much there is of it.

use partway_sqlite::Expected;

use crate::source::Source;

/// What of the chosen tables is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Definitions alone.
    Schema,
    /// Rows alone, for tables that are there already.
    Data,
}

impl std::str::FromStr for Content {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "schema" => Ok(Self::Schema),
            "data" => Ok(Self::Data),
            _ => Err(()),
        }
    }
}

/// The settings of an export without these tables (names, or patterns with `*` and `?`), of this content (none: all), and of
/// at most so many rows of a table.
pub fn subset_settings(
    excluded: &[String],
    content: Option<Content>,
    limit: Option<u64>,
) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> =
        excluded.iter().map(|table| (EXCLUDE.to_owned(), table.clone())).collect();
    match content {
        None => {}
        Some(Content::Schema) => settings.push((CONTENT.to_owned(), SCHEMA.to_owned())),
        Some(Content::Data) => settings.push((CONTENT.to_owned(), "data".to_owned())),
    }
    settings.extend(limit.map(|rows| (LIMIT.to_owned(), rows.to_string())));
    settings
}

/// A table's name and the condition on its rows, of a text `TABLE=EXPRESSION`, without the spaces around them. A name with
/// `=` in it is quoted as in SQL: `"a=b"=x > 5`. None: the text is not of this form.
pub fn row_filter(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (table, condition) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (table, rest) = unquoted(quoted)?;
            (table, rest.trim_start().strip_prefix('=')?)
        }
        None => {
            let (table, condition) = text.split_once('=')?;
            (table.trim_end().to_owned(), condition)
        }
    };
    let condition = condition.trim_start();
    (!table.is_empty() && !condition.is_empty()).then(|| (table, condition.to_owned()))
}

/// A name up to the quote that ends it, in which two quotes are one, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        name.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, behind)),
        }
    }
}

/// The setting that tells the component that rows of a table are left out, so that the object says so too.
pub fn filtered(table: &str) -> (String, String) {
    (FILTERED.to_owned(), table.to_owned())
}

/// Whether these settings leave anything of the chosen tables out.
pub(crate) fn is_part(settings: &[(String, String)]) -> bool {
    settings.iter().any(|(name, _)| [EXCLUDE, CONTENT, LIMIT, FILTERED].contains(&name.as_str()))
}

const EXCLUDE: &str = "exclude-table";
const CONTENT: &str = "content";
const SCHEMA: &str = "schema";
const LIMIT: &str = "limit";
const FILTERED: &str = "filtered";

/// The tables that settings leave out, by their names and patterns.
pub(crate) fn excluded_tables(settings: &[(String, String)]) -> Vec<String> {
    let excluded = settings.iter().filter(|(name, _)| name == EXCLUDE);
    excluded.map(|(_, table)| table.clone()).collect()
}

/// The settings without those that leave tables out: for tables that are chosen already.
pub(crate) fn without_excluded(settings: &[(String, String)]) -> Vec<(String, String)> {
    settings.iter().filter(|(name, _)| name != EXCLUDE).cloned().collect()
}

/// The settings of one table's object, which have nothing about other tables.
pub(crate) fn settings_of_table(
    settings: &[(String, String)],
    table: &str,
) -> Vec<(String, String)> {
    let mut settings = without_excluded(settings);
    settings.retain(|(name, value)| name != FILTERED || value.eq_ignore_ascii_case(table));
    settings
}

/// How much there is to export of a source's tables (none: all) under these settings, as far as that is known. It may block.
pub fn expected_under(
    source: &dyn Source,
    tables: &[String],
    settings: &[(String, String)],
) -> Expected {
    let leaves_rows_out = |(name, value): &(String, String)| match name.as_str() {
        LIMIT | FILTERED => true,
        CONTENT => value == SCHEMA,
        _ => false,
    };
    if settings.iter().any(leaves_rows_out) {
        return Expected::default();
    }
    let all = source.expected(tables);
    let excluded = excluded_tables(settings);
    if excluded.is_empty() {
        return all;
    }
    let less = source.expected(&excluded);
    Expected {
        tables: all.tables.saturating_sub(less.tables),
        rows: all.rows.saturating_sub(less.rows),
        weight: all.weight.saturating_sub(less.weight),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_follows_the_name_of_its_table() {
        for (text, table, condition) in [
            ("t=a = 'x=y'", "t", "a = 'x=y'"),
            (" my orders = total > 5 ", "my orders", "total > 5"),
            ("\"a=b\"=x > 5", "a=b", "x > 5"),
            ("\" t \"\"q\"\"\" = \"x\" = 1", " t \"q\"", "\"x\" = 1"),
            ("-dash=a", "-dash", "a"),
        ] {
            let expected = Some((table.to_owned(), condition.to_owned()));
            assert_eq!(row_filter(text), expected, "{text}");
        }
        for text in
            ["", "t", "t=", "=a > 5", " =a", "\"t=a", "\"t\"", "\"t\" a=5", "\"\"=a", "\"t\"="]
        {
            assert_eq!(row_filter(text), None, "{text}");
        }
    }
}
