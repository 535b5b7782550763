//! The measurements as tables: for the terminal, and in their place in `docs/PERFORMANCE.md`.

use std::fmt::{self, Display, Formatter, Write as _};
use std::fs;

use anyhow::{Context, Result, bail};

use super::machine::Machine;
use crate::run::root;

/// Where it is, from the project's folder.
pub const DOCUMENT: &str = "docs/PERFORMANCE.md";

/// Everything between them is replaced; the rest is kept.
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// What was measured, in Markdown, which can be read in a terminal as well.
pub struct Table {
    title: String,
    about: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    pub fn new(title: &str, about: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            about: about.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A sentence below the table.
    pub fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n\n{}\n", self.title, self.about)?;
        if !self.rows.is_empty() {
            let lines = || [&self.columns].into_iter().chain(&self.rows);
            let width = |column: usize| {
                let lengths = lines().filter_map(|line| line.get(column));
                lengths.map(|cell| cell.chars().count()).max().unwrap_or_default()
            };
            let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
            for (number, line) in lines().enumerate() {
                for (cell, &width) in line.iter().zip(&widths) {
                    write!(f, "| {cell:width$} ")?;
                }
                writeln!(f, "|")?;
                if number == 0 {
                    for width in &widths {
                        write!(f, "|{}", "-".repeat(width + 2))?;
                    }
                    writeln!(f, "|")?;
                }
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "{note}\n")?;
        }
        Ok(())
    }
}

/// Writes tables into the document.
pub fn write(command: &str, machine: &Machine, tables: &[Table]) -> Result<()> {
    let Machine { cores, processor, sqlite3, sqlite, rustc } = machine;
    let mut measured = format!(
        "## Measured\n\n\
         - with `{command}`\n\
         - processor: {processor}, {cores} cores\n\
         - the program `sqlite3` {sqlite3}; Partway and its peers use SQLite {sqlite}\n\
         - {rustc}\n\n"
    );
    for table in tables {
        write!(measured, "{table}")?;
    }
    let file = root().join(DOCUMENT);
    let document =
        fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let document = replaced(&document, &measured)
        .with_context(|| format!("{} was not changed", file.display()))?;
    fs::write(&file, document).with_context(|| format!("writing {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

/// The document with other text between its marks.
fn replaced(document: &str, text: &str) -> Result<String> {
    let marks = |mark: &str| document.matches(mark).count();
    let parts = document
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    match parts {
        Some((before, after)) if marks(BEGIN) == 1 && marks(END) == 1 => {
            Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
        }
        _ => bail!(
            "it needs one line {BEGIN}, followed by one line {END}: put them where the tables belong"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_outside_of_the_marks_stays() {
        let document = "# Speed\n\nBy hand.\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\nAlso by hand.\n";
        let once = replaced(document, "new\n\n").unwrap();
        assert_eq!(
            once,
            "# Speed\n\nBy hand.\n\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\n\nAlso by hand.\n"
        );
        assert_eq!(replaced(&once, "new").unwrap(), once);
    }

    #[test]
    fn a_document_with_other_marks_is_left_alone() {
        for document in [
            "",
            "<!-- bench:begin --> and no end",
            "<!-- bench:end --><!-- bench:begin -->",
            "<!-- bench:begin --><!-- bench:begin --><!-- bench:end -->",
            "<!-- bench:begin --><!-- bench:end --><!-- bench:end -->",
        ] {
            assert!(replaced(document, "new").is_err(), "{document}");
        }
    }

    #[test]
    fn a_table_is_markdown_in_columns() {
        let mut table = Table::new("Speed", "In seconds.", &["shape", "≥"]);
        table.row(vec!["a".to_owned(), "1.25".to_owned()]);
        table.note("That is all.");
        assert_eq!(
            table.to_string(),
            "### Speed\n\nIn seconds.\n\n\
             | shape | ≥    |\n|-------|------|\n| a     | 1.25 |\n\nThat is all.\n\n"
        );
    }
}
