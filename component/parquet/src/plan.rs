//! What is exported, as the schema and the options say.

use alloc::string::String;
use alloc::vec::Vec;

use partway_format::digest::Digest;
use partway_format::pipe::{Encoding, Error, Options, Schema, Text};
use partway_format::selection::{Selection, columns_of, not_one_table};
use partway_format::tables::quoted_name;

use crate::settings::{FORMAT, Settings, Types};
use crate::types::{ColumnType, is_certain};

/// The text and blobs of a batch, and a piece that is read of a longer value: whole units of UTF-16.
pub(crate) const BATCH_BYTES: u32 = 256 * 1024;

/// An export, planned. Every slice makes the same plan again.
pub(crate) struct Plan {
    pub(crate) table: Text,
    /// The columns' names, as they are read.
    pub(crate) columns: Vec<Text>,
    /// The columns' declared types.
    pub(crate) declared: Vec<Text>,
    is_strict: bool,
    /// How text is stored.
    pub(crate) encoding: Encoding,
    pub(crate) settings: Settings,
    /// The most rows; none: all.
    pub(crate) max_rows: Option<u64>,
    /// What is left out.
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    pub(crate) fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        if options.format != FORMAT {
            return Err(Error::InvalidOptions(alloc::format!(
                "this component does not know the format {:?}: it writes {FORMAT:?}",
                options.format
            )));
        }
        let settings = Settings::new(&options.settings)?;
        let Selection { tables, max_rows, mut warnings, .. } = Selection::new(schema, options)?;
        let [object] = tables[..] else { return Err(not_one_table(&tables, "Parquet")) };
        let (columns, warning) = columns_of(object)?;
        warnings.extend(warning);
        Ok(Self {
            table: object.name.clone(),
            declared: columns.iter().map(|column| column.declared_type.clone()).collect(),
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            is_strict: object.table.as_ref().is_some_and(|table| table.flags.strict),
            encoding: schema.encoding,
            settings,
            max_rows,
            warnings,
        })
    }

    /// The table's name in quotes, for messages.
    pub(crate) fn table_name(&self) -> String {
        quoted_name(&self.table)
    }

    /// A column's name in quotes, for messages.
    pub(crate) fn column_name(&self, column: usize) -> String {
        quoted_name(self.columns.get(column).map(Vec::as_slice).unwrap_or_default())
    }

    /// The columns' types as they are declared; none: the rows have to be looked at.
    pub(crate) fn declared_types(&self) -> Option<Vec<ColumnType>> {
        let is_enough = match self.settings.types {
            Types::Declared => true,
            Types::Stored => false,
            Types::Auto => self.is_strict && self.declared.iter().all(|text| is_certain(text)),
        };
        let types = self.declared.iter().map(|text| ColumnType::declared(text));
        is_enough.then(|| types.collect())
    }

    /// A digest of what the bytes depend on beside the options, which checkpoints hold.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        digest.field(&self.table);
        for text in self.columns.iter().chain(&self.declared) {
            digest.field(text);
        }
        digest.field(&[self.encoding as u8, u8::from(self.is_strict)]);
        digest.value()
    }
}
