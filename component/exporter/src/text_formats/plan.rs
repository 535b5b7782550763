//! The plan of an export: its steps, and how values are written on the way.

use alloc::string::String;
use alloc::vec::Vec;

use super::csv::Csv;
use super::json::Json;
use super::layout::{FormatName, Layout, RowText};
use super::settings::Settings;
use crate::digest::Digest;
use crate::format::{Step, TableRows};
use crate::pipe::{Encoding, Error, Object, Options, Schema, Text};
use crate::selection::{Selection, columns_of, not_one_table};

/// What an object will hold.
pub(crate) struct Plan {
    pub(super) steps: Vec<Step<RowText>>,
    /// What is left out.
    pub(super) warnings: Vec<String>,
    /// How the text of cells is encoded.
    pub(super) encoding: Encoding,
    pub(super) layout: Layout,
    pub(super) values: Values,
    /// The columns of the last table.
    pub(super) columns: usize,
    /// Whether rows that are damaged are left out, instead of failing the export.
    pub(super) skip_damaged: bool,
    /// The most rows of a table; none: all.
    pub(super) max_rows: Option<u64>,
}

/// How values are written.
pub(super) enum Values {
    Csv(Csv),
    Json(Json),
}

impl Plan {
    pub(super) fn of(
        format: FormatName,
        schema: &Schema,
        options: &Options,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let Selection { tables: selected, is_one_named, max_rows, warnings } =
            Selection::new(schema, options)?;
        if format == FormatName::Csv && selected.len() != 1 {
            return Err(not_one_table(&selected, "CSV"));
        }
        let is_one_table = format == FormatName::Csv || is_one_named;
        let mut plan = Self {
            steps: Vec::new(),
            warnings,
            encoding: schema.encoding,
            layout: Layout { format, is_one_table, header: settings.header },
            values: match format {
                FormatName::Csv => Values::Csv(Csv::new(settings)),
                FormatName::Ndjson | FormatName::Json => Values::Json(Json::new(settings)),
            },
            columns: 0,
            skip_damaged: settings.skip_damaged,
            max_rows,
        };
        for object in selected {
            plan.table(object)?;
        }
        plan.steps.push(Step::End);
        Ok(plan)
    }

    fn table(&mut self, object: &Object) -> Result<(), Error> {
        let table = &object.name;
        let columns = self.columns_of(object)?;
        let is_first = self.steps.is_empty();
        self.text(self.layout.before_rows(is_first, table, &columns));
        self.columns = columns.len();
        self.steps.push(Step::Rows(TableRows {
            table: table.clone(),
            format: self.layout.row(table, &columns),
            columns,
            counted: true,
            only: None,
        }));
        // The end of a single table is the end of all.
        if !self.layout.is_one_table {
            self.text(self.layout.after_rows().to_vec());
        }
        Ok(())
    }

    /// The columns' names.
    fn columns_of(&mut self, object: &Object) -> Result<Vec<Text>, Error> {
        let (columns, warning) = columns_of(object)?;
        self.warnings.extend(warning);
        Ok(columns.iter().map(|column| column.name.clone()).collect())
    }

    /// Text after text joins the same step.
    fn text(&mut self, text: Vec<u8>) {
        match self.steps.last_mut() {
            _ if text.is_empty() => {}
            Some(Step::Text(last)) => last.extend_from_slice(&text),
            _ => self.steps.push(Step::Text(text)),
        }
    }

    /// A digest of all steps.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        digest.field(self.layout.format.text().as_bytes());
        for step in &self.steps {
            match step {
                Step::Text(text) => digest.field(text),
                Step::Rows(TableRows { table, columns, .. }) => {
                    digest.field(table);
                    for column in columns {
                        digest.field(column);
                    }
                }
                Step::End => digest.field(b"end"),
            }
        }
        digest.field(&[self.encoding as u8]);
        if let Some(max_rows) = self.max_rows {
            digest.field(&max_rows.to_be_bytes());
        }
        digest.value()
    }
}
