//! What a schedule exports: options behind its rule, named as those of `partway export`.

use std::str::FromStr;

use jiff::Timestamp;
use partway_codec::{Compression, CompressionError, Encoding};
use partway_jobs::{
    Blobs, ColumnTypes, Content, ExportRequest, FormatOption, FormatOptions, ObjectNameError,
    Target, filtered, object_name, object_set_name, reads_pages, row_filter, subset_settings,
    timed_name, timed_set_name,
};

use crate::config::Retention;

const NAMES: &str = "name, format, each-table, table, exclude-table, schema-only, data-only, limit, where, target, no-rowids, null, no-header, \
                     blobs, types, uncompressed, compress, keep and keep-days";

/// What a schedule exports, and which of its objects are kept. Written `OPTION=VALUE; OPTION; …`, with the names that the
/// options of `partway export` have without their dashes, and `;;` for a semicolon in a value. By default: the whole
/// database as SQL. `name` is what the objects' names begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduledExport {
    /// What tells schedules of one database apart: the options as they were given, without those of retention. Empty: none.
    pub options: String,
    /// The word that the names of its objects begin with, before the time; none: `dump`.
    pub name: Option<String>,
    /// The format; none: `sql`.
    pub format: Option<String>,
    /// Whether each table is an object of its own, as [`ExportRequest::each_table`].
    pub each_table: bool,
    /// Only these tables, by their names or patterns; empty: all.
    pub tables: Vec<String>,
    /// The component's settings.
    pub settings: Vec<(String, String)>,
    /// Conditions, each for the rows of a table, as [`ExportRequest::filters`].
    pub filters: Vec<(String, String)>,
    /// How its objects are compressed.
    pub compression: ScheduledCompression,
    /// Which of its objects are kept; none: as of other schedules.
    pub retention: Option<Retention>,
}

/// How the objects of a schedule are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ScheduledCompression {
    /// As those of requests that do not say it.
    #[default]
    Default,
    /// Not at all.
    None,
    /// So.
    With(Compression),
}

/// Why a text is not a [`ScheduledExport`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportOptionError {
    /// There is no such option.
    #[error("there is no option {name:?}: a schedule may have {NAMES}, each behind a semicolon")]
    Unknown {
        /// What was given.
        name: String,
    },
    /// An option lacks its value.
    #[error("{name} needs a value: write {name}=…")]
    NoValue {
        /// The option.
        name: &'static str,
    },
    /// An option has a value and takes none.
    #[error("{name} takes no value: write {name} alone")]
    HasValue {
        /// The option.
        name: &'static str,
    },
    /// An option can't have this value.
    #[error("{name} can't be {value:?}: use {wanted}")]
    Value {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// An option is given twice.
    #[error("{name} is given twice: give it once")]
    Twice {
        /// The option.
        name: &'static str,
    },
    /// An option is for other formats.
    #[error("{name} can't be used with format {format}: it is for {}", formats.join(", "))]
    Misplaced {
        /// The option.
        name: &'static str,
        /// The format.
        format: String,
        /// Those that it is for.
        formats: &'static [&'static str],
    },
    /// The format is the database file, which has no objects of tables.
    #[error(
        "each-table can't be used with format {format}: it is the database file, with all tables"
    )]
    PagesOfTables {
        /// The format.
        format: String,
    },
    /// No object can have such a name.
    #[error("name can't be {name:?}: {source}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        source: ObjectNameError,
    },
    /// There is no such compression.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

impl ScheduledExport {
    /// A request by this schedule now, made of one with all defaults.
    pub(crate) fn request(&self, default: ExportRequest, now: Timestamp) -> ExportRequest {
        let compression = match self.compression {
            ScheduledCompression::Default => default.encoding.compression,
            ScheduledCompression::None => None,
            ScheduledCompression::With(compression) => Some(compression.into()),
        };
        let format = self.format.clone().unwrap_or(default.format);
        let encoding = Encoding { compression, ..default.encoding };
        let name = self.name.as_deref().map(|word| match self.each_table {
            true => timed_set_name(word, now),
            false => timed_name(word, now, &format, &encoding),
        });
        ExportRequest {
            name,
            format,
            each_table: self.each_table,
            tables: self.tables.clone(),
            settings: self.settings.clone(),
            filters: self.filters.clone(),
            encoding,
            ..default
        }
    }

    /// Reads options that are already apart.
    pub(crate) fn read(options: &[String]) -> Result<Self, ExportOptionError> {
        let mut given = Given::default();
        for option in options {
            given.take(option)?;
        }
        given.finish()
    }
}

impl FromStr for ScheduledExport {
    type Err = ExportOptionError;

    fn from_str(text: &str) -> Result<Self, ExportOptionError> {
        Self::read(&split(text))
    }
}

/// What is between semicolons, without the spaces around it and without what is empty.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_end = letter == ';' && letters.next_if_eq(&';').is_none();
        match pieces.last_mut() {
            Some(piece) if !is_end => piece.push(letter),
            _ => pieces.push(String::new()),
        }
    }
    let pieces = pieces.into_iter().map(|piece| piece.trim().to_owned());
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// Options as they are read.
#[derive(Default)]
struct Given {
    options: Vec<String>,
    name: Option<String>,
    format: Option<String>,
    each_table: bool,
    tables: Vec<String>,
    excluded: Vec<String>,
    content: Option<Content>,
    limit: Option<u64>,
    filters: Vec<(String, String)>,
    of_format: FormatOptions,
    compression: Option<ScheduledCompression>,
    keep: Option<u32>,
    keep_days: Option<u32>,
}

impl Given {
    fn take(&mut self, option: &str) -> Result<(), ExportOptionError> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (option, None),
        };
        match name {
            "name" => once("name", &mut self.name, timed_word(text("name", value)?)?)?,
            "format" => once("format", &mut self.format, text("format", value)?)?,
            "compress" => {
                let compression = match text("compress", value)?.as_str() {
                    "none" => ScheduledCompression::None,
                    text => ScheduledCompression::With(text.parse()?),
                };
                once("compress", &mut self.compression, compression)?;
            }
            "keep" => return once("keep", &mut self.keep, positive("keep", value)?),
            "keep-days" => {
                return once("keep-days", &mut self.keep_days, positive("keep-days", value)?);
            }
            name if self.takes_part(name, value)? || self.takes_of_format(name, value)? => {}
            _ => return Err(ExportOptionError::Unknown { name: name.to_owned() }),
        }
        // However many spaces there were.
        self.options.push(value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}")));
        Ok(())
    }

    /// Takes an option that says which tables and rows; false: it is none.
    fn takes_part(&mut self, name: &str, value: Option<&str>) -> Result<bool, ExportOptionError> {
        const CONTENT: &str = "schema-only or data-only";
        match name {
            "each-table" => switch("each-table", value).map(|()| self.each_table = true)?,
            "table" => self.tables.push(text("table", value)?),
            "exclude-table" => self.excluded.push(text("exclude-table", value)?),
            "schema-only" => switch("schema-only", value)
                .and_then(|()| once(CONTENT, &mut self.content, Content::Schema))?,
            "data-only" => switch("data-only", value)
                .and_then(|()| once(CONTENT, &mut self.content, Content::Data))?,
            "limit" => {
                once("limit", &mut self.limit, parsed("limit", value, "a number of rows")?)?;
            }
            "where" => self.filters.push(condition(value.unwrap_or_default())?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes an option that only some formats have; false: it is none.
    fn takes_of_format(
        &mut self,
        name: &str,
        value: Option<&str>,
    ) -> Result<bool, ExportOptionError> {
        let options = &mut self.of_format;
        match name {
            "target" => {
                let target = parsed::<Target>("target", value, "sqlite or d1")?;
                once("target", &mut options.target, target)?;
            }
            "no-rowids" => switch("no-rowids", value).map(|()| options.no_rowids = true)?,
            "null" => once("null", &mut options.null, value.unwrap_or_default().to_owned())?,
            "no-header" => switch("no-header", value).map(|()| options.no_header = true)?,
            "blobs" => {
                let blobs = parsed::<Blobs>("blobs", value, "hex or base64")?;
                once("blobs", &mut options.blobs, blobs)?;
            }
            "types" => {
                let types = parsed::<ColumnTypes>("types", value, "stored or declared")?;
                once("types", &mut options.types, types)?;
            }
            "uncompressed" => {
                switch("uncompressed", value).map(|()| options.uncompressed = true)?
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<ScheduledExport, ExportOptionError> {
        let format = self.format.as_deref().unwrap_or("sql");
        if let Some(option) = self.of_format.misplaced(format) {
            return Err(ExportOptionError::Misplaced {
                name: name_of(option),
                format: format.to_owned(),
                formats: option.formats(),
            });
        }
        if self.each_table && reads_pages(format) {
            return Err(ExportOptionError::PagesOfTables { format: format.to_owned() });
        }
        if let (true, Some(word)) = (self.each_table, &self.name) {
            timed_word_of_set(word)?;
        }
        let mut settings = self.of_format.settings();
        settings.extend(subset_settings(&self.excluded, self.content, self.limit));
        settings.extend(self.filters.iter().map(|(table, _)| filtered(table)));
        let is_kept = self.keep.is_some() || self.keep_days.is_some();
        Ok(ScheduledExport {
            options: self.options.join("; "),
            name: self.name,
            format: self.format,
            each_table: self.each_table,
            tables: self.tables,
            settings,
            filters: self.filters,
            compression: self.compression.unwrap_or_default(),
            retention: is_kept.then_some(Retention { last: self.keep, days: self.keep_days }),
        })
    }
}

/// A table and a condition.
fn condition(text: &str) -> Result<(String, String), ExportOptionError> {
    row_filter(text).ok_or_else(|| ExportOptionError::Value {
        name: "where",
        value: text.to_owned(),
        wanted: "TABLE=EXPRESSION, the name of the table first",
    })
}

/// The same word, for the objects of tables: their names come behind it too.
fn timed_word_of_set(word: &str) -> Result<(), ExportOptionError> {
    match object_set_name(&format!("{word}_YYYYMMDD-HHMMSS")) {
        Ok(_) => Ok(()),
        Err(source) => Err(ExportOptionError::Name { name: word.to_owned(), source }),
    }
}

/// The word that a name begins with: the time, the format and a number come behind it.
fn timed_word(word: String) -> Result<String, ExportOptionError> {
    const REST: &str = "_YYYYMMDD-HHMMSS.parquet.zst.age";
    let checked = match word.chars().any(char::is_control) {
        true => Err(ObjectNameError::NotPlain),
        false => object_name(&format!("{word}{REST}")),
    };
    match checked {
        Ok(_) => Ok(word),
        Err(source) => Err(ExportOptionError::Name { name: word, source }),
    }
}

fn once<T>(name: &'static str, field: &mut Option<T>, value: T) -> Result<(), ExportOptionError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(ExportOptionError::Twice { name }),
    }
}

fn switch(name: &'static str, value: Option<&str>) -> Result<(), ExportOptionError> {
    if value.is_some() { Err(ExportOptionError::HasValue { name }) } else { Ok(()) }
}

fn text(name: &'static str, value: Option<&str>) -> Result<String, ExportOptionError> {
    let given = value.filter(|value| !value.is_empty());
    given.map(str::to_owned).ok_or(ExportOptionError::NoValue { name })
}

fn parsed<T: FromStr>(
    name: &'static str,
    value: Option<&str>,
    wanted: &'static str,
) -> Result<T, ExportOptionError> {
    let value = text(name, value)?;
    value.parse().map_err(|_| ExportOptionError::Value { name, value, wanted })
}

fn positive(name: &'static str, value: Option<&str>) -> Result<u32, ExportOptionError> {
    const WANTED: &str = "a number from 1";
    match parsed(name, value, WANTED)? {
        0 => Err(ExportOptionError::Value { name, value: "0".to_owned(), wanted: WANTED }),
        number => Ok(number),
    }
}

fn name_of(option: FormatOption) -> &'static str {
    match option {
        FormatOption::NoRowids => "no-rowids",
        FormatOption::Target => "target",
        FormatOption::Null => "null",
        FormatOption::NoHeader => "no-header",
        FormatOption::Blobs => "blobs",
        FormatOption::Types => "types",
        FormatOption::Uncompressed => "uncompressed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ScheduledExport, String> {
        text.parse().map_err(|error: ExportOptionError| error.to_string())
    }

    #[test]
    fn options_are_read_and_told_apart_without_those_of_retention() {
        let text = " format=csv ;table = orders;keep=7; null=NULL; no-header;where=orders=note <> 'a;;b'; compress=zstd:3;";
        let export = read(text).unwrap();
        assert_eq!(
            export.options,
            "format=csv; table=orders; null=NULL; no-header; where=orders=note <> 'a;b'; compress=zstd:3"
        );
        assert_eq!(export.format.as_deref(), Some("csv"));
        assert_eq!(export.tables, ["orders"]);
        let settings = [("null", "NULL"), ("header", "no"), ("filtered", "orders")];
        assert_eq!(
            export.settings,
            settings.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(export.filters, [("orders".to_owned(), "note <> 'a;b'".to_owned())]);
        assert_eq!(export.compression, ScheduledCompression::With(Compression::Zstd(3)));
        assert_eq!(export.retention, Some(Retention { last: Some(7), days: None }));
        assert_eq!(read("").unwrap(), ScheduledExport::default());
        assert_eq!(read("keep-days=3").unwrap().options, "");
        assert_eq!(
            read("format=csv; null=").unwrap().settings,
            [("null".to_owned(), String::new())]
        );
    }

    #[test]
    fn a_name_of_a_set_has_room_for_names_of_tables() {
        let export = read("each-table; format=csv; name=tables").unwrap();
        assert!(export.each_table);
        assert_eq!(export.options, "each-table; format=csv; name=tables");
        let long = "n".repeat(90);
        assert!(read(&format!("name={long}")).is_ok());
        let error = read(&format!("name={long}; each-table")).unwrap_err();
        assert!(error.contains("with a table's name added to it"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, told) in [
            (
                "tabel=t",
                "there is no option \"tabel\": a schedule may have name, format, each-table, table",
            ),
            ("table", "table needs a value"),
            ("format=", "format needs a value"),
            ("schema-only=yes", "schema-only takes no value"),
            ("schema-only; data-only", "schema-only or data-only is given twice"),
            ("format=csv; format=csv", "format is given twice"),
            ("limit=many", "limit can't be \"many\": use a number of rows"),
            ("limit=-1", "limit can't be \"-1\""),
            ("name=a/b", "name can't be \"a/b\": not a plain name"),
            ("name=.a", "name can't be \".a\""),
            ("keep=0", "keep can't be \"0\": use a number from 1"),
            ("where=x", "where can't be \"x\": use TABLE=EXPRESSION"),
            ("types=stored", "types can't be used with format sql: it is for parquet"),
            ("each-table=yes", "each-table takes no value"),
            ("format=sqlite; each-table", "each-table can't be used with format sqlite"),
            ("compress=brotli", "\"brotli\" is not a compression"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
