//! The options that SQL gives, as one JSON object: named as the program's.

use std::str::FromStr;

use bytesize::ByteSize;
use partway_jobs::{
    Blobs, Codec, ColumnTypes, Compression, Content, Encoding, FormatOption, FormatOptions,
    Recipient, Target, object_name, subset_settings,
};
use partway_sqlite::Uncommitted;
use partway_wasmtime::exporter;
use serde_json::{Map, Value};

use crate::error::Error;

/// What an option of tables takes.
const TABLES: &str = "a table's name or an array of them";

/// The options of `partway_parts`.
const OF_PARTS: [&str; 16] = [
    "blobs",
    "data_only",
    "exclude_table",
    "format",
    "limit",
    "max_loaded_row",
    "no_header",
    "no_rowids",
    "null",
    "part_size",
    "schema",
    "schema_only",
    "table",
    "target",
    "types",
    "uncompressed",
];

/// The further ones of `partway_export`. Parts that are read as rows are the dump's own; and between two of them, a
/// transaction may be rolled back to anywhere, and nobody is told.
const OF_EXPORT: [&str; 6] =
    ["compress", "encrypt_to", "name", "no_manifest", "slice_parts", "uncommitted"];

/// What to export, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// The object's name; none: by the time.
    pub(crate) name: Option<String>,
    pub(crate) format: String,
    /// Only these tables; none: all.
    pub(crate) tables: Vec<String>,
    /// In bytes; none: by the database's size.
    pub(crate) part_size: Option<u64>,
    /// The most parts of a slice; none: the export is one.
    pub(crate) slice_parts: Option<u32>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) encoding: Encoding,
    /// Whether a manifest is written beside the object.
    pub(crate) manifest: bool,
    pub(crate) max_loaded_row: Option<u64>,
    /// Which of the connection's databases.
    pub(crate) schema: String,
    pub(crate) uncommitted: Uncommitted,
}

impl Options {
    /// Those of `partway_export`; none given: the defaults.
    pub(crate) fn of_export(json: Option<&str>) -> Result<Self, Error> {
        let mut known: Vec<&str> = OF_PARTS.into_iter().chain(OF_EXPORT).collect();
        known.sort_unstable();
        Self::read(json, &known)
    }

    /// Those of `partway_parts`; none given: the defaults.
    pub(crate) fn of_parts(json: Option<&str>) -> Result<Self, Error> {
        Self::read(json, &OF_PARTS)
    }

    /// The component's options.
    pub(crate) fn for_component(&self, part_size: u32) -> exporter::Options {
        exporter::Options {
            format: self.format.clone(),
            tables: self.tables.clone(),
            part_size,
            settings: self.settings.clone(),
        }
    }

    fn read(json: Option<&str>, known: &[&str]) -> Result<Self, Error> {
        let given = Given::parse(json, known)?;
        let slice_parts = given.number("slice_parts")?.map(|parts| {
            let small = u32::try_from(parts).ok().filter(|parts| *parts > 0);
            small.ok_or_else(|| wrong("slice_parts", &parts.into(), "a number from 1"))
        });
        let name = given.text("name")?.map(|name| {
            let reason = |error| Error::Options(format!("name {name:?} is {error}"));
            object_name(name).map_err(reason)
        });
        let format = given.text("format")?.unwrap_or("sql");
        Ok(Self {
            name: name.transpose()?,
            format: format.to_owned(),
            tables: given.texts("table", TABLES)?,
            part_size: given.size("part_size")?,
            slice_parts: slice_parts.transpose()?,
            settings: given.settings(format)?,
            encoding: given.encoding()?,
            manifest: !given.flag("no_manifest")?,
            max_loaded_row: given.size("max_loaded_row")?,
            schema: given.text("schema")?.unwrap_or("main").to_owned(),
            uncommitted: match given.flag("uncommitted")? {
                true => Uncommitted::Read,
                false => Uncommitted::Refuse,
            },
        })
    }
}

/// The object, with known names only.
struct Given(Map<String, Value>);

impl Given {
    fn parse(json: Option<&str>, known: &[&str]) -> Result<Self, Error> {
        let Some(json) = json else { return Ok(Self(Map::new())) };
        let Ok(Value::Object(given)) = serde_json::from_str(json) else {
            let text = "the options are no JSON object: write them like json_object('format', …)";
            return Err(Error::Options(text.to_owned()));
        };
        match given.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Error::Options(format!(
                "there is no option {name:?}: the options are {}",
                known.join(", ")
            ))),
            None => Ok(Self(given)),
        }
    }

    /// The value of an option; none where it is NULL, too.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(name, value, "text"))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| wrong(name, value, "a number from 1"))
    }

    /// Bytes, or text like `8MiB`.
    fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let of_text = || value.as_str()?.parse::<ByteSize>().ok().map(|size| size.as_u64());
        let size = value.as_u64().or_else(of_text);
        size.map(Some).ok_or_else(|| wrong(name, value, "a size like 8388608 or '8MiB'"))
    }

    /// One of a few words.
    fn word<T: FromStr>(&self, name: &str, words: &str) -> Result<Option<T>, Error> {
        let Some(word) = self.text(name)? else { return Ok(None) };
        word.parse().map(Some).map_err(|_| wrong(name, &Value::from(word), words))
    }

    /// The settings of a format, which must have the options given, and of the part that is asked for.
    fn settings(&self, format: &str) -> Result<Vec<(String, String)>, Error> {
        let options = FormatOptions {
            no_rowids: self.flag("no_rowids")?,
            target: self.word::<Target>("target", "'sqlite' or 'd1'")?,
            null: self.text("null")?.map(str::to_owned),
            no_header: self.flag("no_header")?,
            blobs: self.word::<Blobs>("blobs", "'hex' or 'base64'")?,
            types: self.word::<ColumnTypes>("types", "'stored' or 'declared'")?,
            uncompressed: self.flag("uncompressed")?,
        };
        if let Some(option) = options.misplaced(format) {
            let name = match option {
                FormatOption::NoRowids => "no_rowids",
                FormatOption::Target => "target",
                FormatOption::Null => "null",
                FormatOption::NoHeader => "no_header",
                FormatOption::Blobs => "blobs",
                FormatOption::Types => "types",
                FormatOption::Uncompressed => "uncompressed",
            };
            return Err(Error::Options(format!(
                "option {name} can't be used with format {format}: it is for {}",
                option.formats().join(", ")
            )));
        }
        let mut settings = options.settings();
        let excluded = self.texts("exclude_table", TABLES)?;
        settings.extend(subset_settings(&excluded, self.content()?, self.number("limit")?));
        Ok(settings)
    }

    /// Definitions alone, or rows alone; none: both.
    fn content(&self) -> Result<Option<Content>, Error> {
        match (self.flag("schema_only")?, self.flag("data_only")?) {
            (true, true) => {
                let text = "option schema_only can't go with data_only: give one of them";
                Err(Error::Options(text.to_owned()))
            }
            (true, false) => Ok(Some(Content::Schema)),
            (false, true) => Ok(Some(Content::Data)),
            (false, false) => Ok(None),
        }
    }

    /// Yes or no: SQL has 1 and 0 for true and false.
    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => match value.as_u64() {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(wrong(name, value, "1 or 0")),
            },
        }
    }

    fn encoding(&self) -> Result<Encoding, Error> {
        let compression = self.text("compress")?.map(|text| {
            let reason = |error| Error::Options(format!("option compress: {error}"));
            text.parse::<Compression>().map_err(reason)
        });
        let recipients = self.texts("encrypt_to", "a public key (age1…) or an array of them")?;
        let recipients = recipients.iter().map(|key| {
            let reason = |error| Error::Options(format!("option encrypt_to: {error}"));
            key.parse::<Recipient>().map_err(reason)
        });
        Ok(Encoding {
            compression: compression.transpose()?.map(Codec::BuiltIn),
            recipients: recipients.collect::<Result<_, _>>()?,
        })
    }

    /// One text, or an array of them.
    fn texts(&self, name: &str, wanted: &str) -> Result<Vec<String>, Error> {
        let wrong = |value| wrong(name, value, wanted);
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::String(name)) => Ok(vec![name.clone()]),
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| name.as_str().map(str::to_owned).ok_or_else(|| wrong(name)))
                .collect(),
            Some(other) => Err(wrong(other)),
        }
    }
}

fn wrong(name: &str, value: &Value, wanted: &str) -> Error {
    Error::Options(format!("option {name} can't be {value}: give {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_sql_writes_them() {
        let given = r#"{"name":"a.sql","table":["t","u"],"part_size":"8MiB","slice_parts":3,"no_rowids":1,
            "target":"d1","exclude_table":"v*","schema_only":1,"limit":7,"schema":"temp","max_loaded_row":9,"uncommitted":true,
            "format":null,"compress":"zstd:3","no_manifest":1}"#;
        let read = Options::of_export(Some(given)).unwrap();
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = Options {
            name: Some("a.sql".to_owned()),
            format: "sql".to_owned(),
            tables: vec!["t".to_owned(), "u".to_owned()],
            part_size: Some(8 * 1024 * 1024),
            slice_parts: Some(3),
            settings: vec![
                setting("rowids", "drop"),
                setting("target", "d1"),
                setting("exclude-table", "v*"),
                setting("content", "schema"),
                setting("limit", "7"),
            ],
            encoding: Encoding {
                compression: Some(Compression::Zstd(3).into()),
                recipients: vec![],
            },
            manifest: false,
            max_loaded_row: Some(9),
            schema: "temp".to_owned(),
            uncommitted: Uncommitted::Read,
        };
        assert_eq!(read, expected);
        assert_eq!(Options::of_export(None).unwrap(), Options::of_parts(Some("{}")).unwrap());
    }

    #[test]
    fn what_is_wrong_with_an_option_is_said_with_its_name() {
        for (given, said) in [
            ("7", "the options are no JSON object: write them like json_object('format', …)"),
            (
                r#"{"colour":1}"#,
                "there is no option \"colour\": the options are blobs, compress, data_only, encrypt_to, exclude_table, \
                 format, limit, max_loaded_row, name, no_header, no_manifest, no_rowids, null, part_size, schema, \
                 schema_only, slice_parts, table, target, types, uncommitted, uncompressed",
            ),
            (
                r#"{"part_size":"x"}"#,
                "option part_size can't be \"x\": give a size like 8388608 or '8MiB'",
            ),
            (
                r#"{"compress":"lz4"}"#,
                "option compress: \"lz4\" is not a compression: use zstd, zstd:LEVEL, gzip or gzip:LEVEL",
            ),
            (r#"{"slice_parts":0}"#, "option slice_parts can't be 0: give a number from 1"),
            (r#"{"no_rowids":"no"}"#, "option no_rowids can't be \"no\": give 1 or 0"),
            (
                r#"{"schema_only":1,"data_only":1}"#,
                "option schema_only can't go with data_only: give one of them",
            ),
            (r#"{"target":"d2"}"#, "option target can't be \"d2\": give 'sqlite' or 'd1'"),
            (
                r#"{"format":"csv","no_rowids":1}"#,
                "option no_rowids can't be used with format csv: it is for sql",
            ),
            (
                r#"{"format":"csv","blobs":"raw"}"#,
                "option blobs can't be \"raw\": give 'hex' or 'base64'",
            ),
            (
                r#"{"table":[1]}"#,
                "option table can't be 1: give a table's name or an array of them",
            ),
            (
                r#"{"name":"../a"}"#,
                "name \"../a\" is not a plain name: it must not contain a slash or begin with a dot",
            ),
        ] {
            assert_eq!(Options::of_export(Some(given)).unwrap_err().to_string(), said);
        }
        let error = Options::of_parts(Some(r#"{"name":"a"}"#)).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no option \"name\": the options are blobs,"),
            "{error}"
        );
    }
}
