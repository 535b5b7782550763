//! The parameters of an export: from the query of a GET, or the JSON body of a POST.

use std::path::Path;
use std::str::FromStr;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use partway_codec::{Compression, CompressionError, Encoding};
use partway_jobs::{
    Blobs, ColumnTypes, Content, ExportRequest, FormatOption, FormatOptions, Target, object_name,
    object_set_name, reads_pages, subset_settings,
};
use partway_wasmtime::exporter::Options;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;
use crate::state::databases::Databases;
use crate::state::error::ExportError;
use crate::state::exports::StoreExports;

/// What to export, and how. All parameters are optional.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, IntoParams, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParameters {
    /// One of the served databases; by default, the first.
    pub database: Option<String>,
    /// The format: `sql`, `sqlite` (the database file itself), `csv` (of one table), `ndjson`, `json` or `parquet` (of
    /// one table); by default, `sql`.
    pub format: Option<String>,
    /// Only these tables, by their names or patterns with `*` and `?`; a query repeats `table` for each.
    #[param(rename = "table")]
    pub tables: Vec<String>,
    /// Without these tables, by their names or patterns; a query repeats `excludeTable` for each.
    #[serde(rename = "excludeTables")]
    #[param(rename = "excludeTable")]
    pub exclude_tables: Vec<String>,
    /// `schema`: definitions alone; `data`: rows alone. By default, both.
    #[schema(pattern = "^(schema|data)$")]
    #[param(pattern = "^(schema|data)$")]
    pub content: Option<String>,
    /// At most this many rows of each table.
    #[schema(minimum = 0)]
    #[param(minimum = 0)]
    pub limit: Option<i64>,
    /// What will load the dump: `sqlite` or `d1`.
    #[schema(pattern = "^(sqlite|d1)$")]
    #[param(pattern = "^(sqlite|d1)$")]
    pub target: Option<String>,
    /// CSV: what stands for NULL; by default, nothing.
    pub null: Option<String>,
    /// CSV: whether the first line names the columns; by default, it does.
    pub header: Option<bool>,
    /// CSV, NDJSON, JSON: how blobs are written as text, `hex` or `base64`; by default, CSV has hex, and the others base64
    /// in an object `{"blob": "…"}`.
    #[schema(pattern = "^(hex|base64)$")]
    #[param(pattern = "^(hex|base64)$")]
    pub blobs: Option<String>,
    /// Parquet: by what the columns get their types, `stored` or `declared`; by default, what is declared for STRICT tables,
    /// and what is stored for others.
    #[schema(pattern = "^(stored|declared)$")]
    #[param(pattern = "^(stored|declared)$")]
    pub types: Option<String>,
    /// Parquet: whether its pages are not compressed; by default, they are, with Snappy.
    pub uncompressed: Option<bool>,
    /// Whether there is one object for each table, `NAME.TABLE.FORMAT`, and the export's own object is their manifest. In
    /// the body of a POST alone.
    #[serde(rename = "eachTable")]
    #[param(ignore)]
    pub each_table: bool,
    /// How the object is compressed: `zstd` or `gzip`, with a level such as `zstd:9`, or `none`; by default, as the service
    /// is set up.
    pub compress: Option<String>,
    /// The object's name: up to 200 bytes, without slashes, not beginning with a dot.
    pub name: Option<String>,
    /// A URL to POST to when the export has ended: https, or in a network that the service allows.
    #[serde(rename = "callbackUrl")]
    pub callback_url: Option<String>,
}

impl ExportParameters {
    /// The parameters in a query. Unknown ones are refused: a client that asks for `databse=other` must not get the
    /// default.
    ///
    /// # Errors
    ///
    /// If the query makes no sense.
    pub fn from_query(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let value = value.into_owned();
            let field = match name.as_ref() {
                "database" => &mut parameters.database,
                "format" => &mut parameters.format,
                "target" => &mut parameters.target,
                "compress" => &mut parameters.compress,
                "null" => &mut parameters.null,
                "blobs" => &mut parameters.blobs,
                "types" => &mut parameters.types,
                "name" => &mut parameters.name,
                "callbackUrl" => &mut parameters.callback_url,
                "content" => &mut parameters.content,
                "table" => {
                    parameters.tables.push(value);
                    continue;
                }
                "excludeTable" => {
                    parameters.exclude_tables.push(value);
                    continue;
                }
                "limit" => {
                    set_once(&mut parameters.limit, "limit", &value, "a number of rows")?;
                    continue;
                }
                "header" => {
                    set_once(&mut parameters.header, "header", &value, "true or false")?;
                    continue;
                }
                "uncompressed" => {
                    let field = &mut parameters.uncompressed;
                    set_once(field, "uncompressed", &value, "true or false")?;
                    continue;
                }
                other => {
                    return Err(ApiError::bad_request(format!(
                        "the query has an unknown parameter {other:?}: it may have database, format, table, \
                         excludeTable, content, limit, target, null, header, blobs, types, uncompressed, compress, name and \
                         callbackUrl"
                    )));
                }
            };
            if field.replace(value).is_some() {
                return Err(given_twice(&name));
            }
        }
        Ok(parameters)
    }

    /// The parameters in a body, a JSON object; the database may be in the query as well. An empty body means defaults.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object of known parameters.
    pub fn from_body(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let in_query = Self::from_query(query)?;
        if in_query != (Self { database: in_query.database.clone(), ..Self::default() }) {
            return Err(ApiError::bad_request(
                "the query of a POST may only have the database: send the other parameters in the body",
            ));
        }
        let mut parameters = Self::default();
        if !body.is_empty() {
            // A page of another site could send any other type from a browser without a preflight request.
            let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                return Err(ApiError::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "the body must be JSON: send it as Content-Type: application/json",
                ));
            }
            // An object and nothing else: serde would accept an array of the fields, too.
            parameters = serde_json::from_slice::<Map<String, Value>>(body)
                .and_then(|fields| serde_json::from_value(Value::Object(fields)))
                .map_err(|error| {
                    ApiError::bad_request(format!("the body can't be read: {error}"))
                })?;
        }
        match (&parameters.database, in_query.database) {
            (Some(one), Some(other)) if *one != other => Err(ApiError::bad_request(
                "the query and the body name different databases: name one",
            )),
            (_, None) => Ok(parameters),
            (_, named) => Ok(Self { database: named, ..parameters }),
        }
    }

    /// The path of the database.
    ///
    /// # Errors
    ///
    /// If no database has the name.
    pub fn database<'a>(&self, databases: &'a Databases) -> Result<&'a Path, ExportError> {
        databases.path(self.database.as_deref())
    }

    /// The format; the component has to know it.
    pub fn format(&self) -> &str {
        self.format.as_deref().unwrap_or("sql")
    }

    /// The component's options, with parts of this size in bytes.
    ///
    /// # Errors
    ///
    /// If the target is unknown.
    pub fn options(&self, part_size: u32) -> Result<Options, ApiError> {
        Ok(Options {
            format: self.format().to_owned(),
            tables: self.tables.clone(),
            part_size,
            settings: self.settings()?,
        })
    }

    /// The request for an export to the store.
    ///
    /// # Errors
    ///
    /// If no database has the name, the object can't have its name, or the target is unknown.
    pub fn request(
        &self,
        databases: &Databases,
        exports: &StoreExports,
    ) -> Result<ExportRequest, ApiError> {
        let database = self.database(databases)?.to_owned();
        Ok(ExportRequest {
            name: self.object_name()?,
            format: self.format().to_owned(),
            tables: self.tables.clone(),
            settings: self.settings()?,
            encoding: self.encoding(&exports.encoding)?,
            each_table: self.each_table()?,
            ..exports.default_request(database)
        })
    }

    /// Whether there is one object for each table.
    ///
    /// # Errors
    ///
    /// If the format has all tables in one.
    pub fn each_table(&self) -> Result<bool, ApiError> {
        if self.each_table && reads_pages(self.format()) {
            return Err(ApiError::bad_request(format!(
                "eachTable can't be used with format {}: it is the database file, with all tables",
                self.format()
            )));
        }
        Ok(self.each_table)
    }

    /// How the object is encoded, where a service encodes objects like this.
    ///
    /// # Errors
    ///
    /// If the compression is unknown.
    pub fn encoding(&self, default: &Encoding) -> Result<Encoding, ApiError> {
        let compression = match self.compress.as_deref() {
            None => default.compression.clone(),
            Some("none") => None,
            Some(text) => {
                let unknown = |error: CompressionError| ApiError::bad_request(error.to_string());
                Some(text.parse::<Compression>().map_err(unknown)?.into())
            }
        };
        Ok(Encoding { compression, recipients: default.recipients.clone() })
    }

    /// The settings of the format.
    fn settings(&self) -> Result<Vec<(String, String)>, ApiError> {
        let options = FormatOptions {
            no_rowids: false,
            target: word::<Target>(self.target.as_deref(), "target", "sqlite or d1")?,
            null: self.null.clone(),
            no_header: self.header == Some(false),
            blobs: word::<Blobs>(self.blobs.as_deref(), "encoding of blobs", "hex or base64")?,
            types: word::<ColumnTypes>(
                self.types.as_deref(),
                "choice of types",
                "stored or declared",
            )?,
            uncompressed: self.uncompressed == Some(true),
        };
        let content = word::<Content>(self.content.as_deref(), "content", "schema or data")?;
        if let Some(option) = options.misplaced(self.format()) {
            return Err(ApiError::bad_request(format!(
                "{} can't be used with format {}: it is for {}",
                parameter_name(option),
                self.format(),
                option.formats().join(", ")
            )));
        }
        let limit = self.limit.map(|rows| {
            u64::try_from(rows).map_err(|_| {
                ApiError::bad_request(format!("the limit {rows} is less than no rows"))
            })
        });
        let mut settings = options.settings();
        settings.extend(subset_settings(&self.exclude_tables, content, limit.transpose()?));
        Ok(settings)
    }

    /// The object's name, which stays within the store's folder or prefix.
    ///
    /// # Errors
    ///
    /// If it would not.
    pub fn object_name(&self) -> Result<Option<String>, ApiError> {
        let Some(name) = &self.name else { return Ok(None) };
        let (checked, most) = match self.each_table {
            true => (object_set_name(name), 100),
            false => (object_name(name), 200),
        };
        let plain = checked.map_err(|_| {
            ApiError::bad_request(format!(
                "the name {name:?} can't be used: give a plain name of 1 to {most} bytes, without slashes, that does not \
                 begin with a dot"
            ))
        })?;
        if plain.chars().any(char::is_control) {
            return Err(ApiError::bad_request("the name can't be used: it has control characters"));
        }
        Ok(Some(plain))
    }
}

/// Reads a parameter of a query that is no text.
fn set_once<T: FromStr>(
    field: &mut Option<T>,
    name: &str,
    value: &str,
    wanted: &str,
) -> Result<(), ApiError> {
    let parsed = value
        .parse()
        .map_err(|_| ApiError::bad_request(format!("{name} can't be {value:?}: give {wanted}")))?;
    match field.replace(parsed) {
        None => Ok(()),
        Some(_) => Err(given_twice(name)),
    }
}

/// One of a few words.
fn word<T: FromStr>(word: Option<&str>, what: &str, words: &str) -> Result<Option<T>, ApiError> {
    let unknown = |word| ApiError::bad_request(format!("there is no {what} {word:?}: use {words}"));
    word.map(|word| word.parse().map_err(|_| unknown(word))).transpose()
}

fn given_twice(name: &str) -> ApiError {
    ApiError::bad_request(format!("the query has {name} twice: give it once"))
}

fn parameter_name(option: FormatOption) -> &'static str {
    match option {
        FormatOption::NoRowids => "no_rowids",
        FormatOption::Target => "target",
        FormatOption::Null => "null",
        FormatOption::NoHeader => "header",
        FormatOption::Blobs => "blobs",
        FormatOption::Types => "types",
        FormatOption::Uncompressed => "uncompressed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_understood_or_refused() {
        let parameters =
            ExportParameters::from_query(Some("database=b%20c&table=x&table=y&format=sql&limit=7"))
                .unwrap();
        assert_eq!(parameters.limit, Some(7));
        assert_eq!(parameters.database.as_deref(), Some("b c"));
        assert_eq!(parameters.tables, ["x", "y"]);
        assert_eq!(ExportParameters::from_query(None).unwrap(), ExportParameters::default());
        for query in [
            "databse=a",
            "database=a&database=b",
            "callbackurl=x",
            "limit=many",
            "limit=1&limit=1",
            "header=1",
            "header=true&header=true",
            "where=t%3D1",
        ] {
            assert!(ExportParameters::from_query(Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn options_are_for_their_formats() {
        let settings = |query: &str| ExportParameters::from_query(Some(query)).unwrap().settings();
        let csv = settings("format=csv&null=&header=false&blobs=base64").unwrap();
        let expected = [("null", ""), ("header", "no"), ("blobs", "base64")];
        assert_eq!(csv, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(settings("format=csv&header=true").unwrap(), []);
        let parquet = settings("format=parquet&uncompressed=true").unwrap();
        assert_eq!(parquet, [("compression".to_owned(), "none".to_owned())]);
        assert_eq!(settings("uncompressed=false").unwrap(), []);
        for wrong in [
            "null=x",
            "format=json&header=false",
            "format=csv&target=d1",
            "target=d2",
            "types=stored",
            "uncompressed=true",
            "format=parquet&types=x",
        ] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_plain_and_short() {
        let name = |name: &str| {
            ExportParameters { name: Some(name.to_owned()), ..ExportParameters::default() }
                .object_name()
        };
        assert_eq!(name("a b.sql").unwrap().as_deref(), Some("a b.sql"));
        for bad in ["", "..", "../a", "a/b", ".a", "a\n", &"a".repeat(201)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
