//! The prebuilt components' formats: their options, and the settings by which they know them.

/// The formats that the prebuilt components write.
pub const PREBUILT_FORMATS: [&str; 6] = ["sql", "sqlite", "csv", "ndjson", "json", "parquet"];

/// What will load a SQL dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The stock sqlite3 program.
    Sqlite,
    /// A Durable Object or D1: statements under 100,000 bytes, no transaction, no writes to the
    /// schema table.
    D1,
}

impl std::str::FromStr for Target {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "d1" => Ok(Self::D1),
            _ => Err(()),
        }
    }
}

/// How blobs are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// Two hexadecimal digits a byte.
    Hex,
    /// Base64 (RFC 4648, padded).
    Base64,
}

impl std::str::FromStr for Blobs {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            _ => Err(()),
        }
    }
}

/// By what the columns of a Parquet file get their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnTypes {
    /// By what is stored, in STRICT tables too.
    Stored,
    /// By what is declared: a value that does not fit is an error.
    Declared,
}

impl std::str::FromStr for ColumnTypes {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "stored" => Ok(Self::Stored),
            "declared" => Ok(Self::Declared),
            _ => Err(()),
        }
    }
}

/// Options of formats. None given: the format's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// SQL without the rowids of tables that have no INTEGER PRIMARY KEY.
    pub no_rowids: bool,
    /// What will load a SQL dump.
    pub target: Option<Target>,
    /// What stands for NULL in CSV; by default, nothing.
    pub null: Option<String>,
    /// CSV without the line that names the columns.
    pub no_header: bool,
    /// How CSV, NDJSON and JSON write blobs.
    pub blobs: Option<Blobs>,
    /// By what the columns of a Parquet file get their types; by default, what is declared in STRICT tables, and what is
    /// stored in others.
    pub types: Option<ColumnTypes>,
    /// Parquet whose pages are not compressed.
    pub uncompressed: bool,
}

/// One of [`FormatOptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatOption {
    /// [`FormatOptions::no_rowids`].
    NoRowids,
    /// [`FormatOptions::target`].
    Target,
    /// [`FormatOptions::null`].
    Null,
    /// [`FormatOptions::no_header`].
    NoHeader,
    /// [`FormatOptions::blobs`].
    Blobs,
    /// [`FormatOptions::types`].
    Types,
    /// [`FormatOptions::uncompressed`].
    Uncompressed,
}

impl FormatOption {
    /// The formats of the prebuilt components that have it.
    pub fn formats(self) -> &'static [&'static str] {
        match self {
            Self::NoRowids | Self::Target => &["sql"],
            Self::Null | Self::NoHeader => &["csv"],
            Self::Blobs => &["csv", "ndjson", "json"],
            Self::Types | Self::Uncompressed => &["parquet"],
        }
    }
}

impl FormatOptions {
    /// The settings that differ from the component's defaults: a component by somebody else may know none of them.
    pub fn settings(&self) -> Vec<(String, String)> {
        let target = (self.target == Some(Target::D1)).then_some("d1");
        let blobs = self.blobs.map(|blobs| match blobs {
            Blobs::Hex => "hex",
            Blobs::Base64 => "base64",
        });
        let types = self.types.map(|types| match types {
            ColumnTypes::Stored => "stored",
            ColumnTypes::Declared => "declared",
        });
        [
            ("rowids", self.no_rowids.then_some("drop")),
            ("target", target),
            ("null", self.null.as_deref()),
            ("header", self.no_header.then_some("no")),
            ("blobs", blobs),
            ("types", types),
            ("compression", self.uncompressed.then_some("none")),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
    }

    /// The first option given that the prebuilt component's `format` does not have. None where it is no format of theirs: the
    /// component refuses them for itself.
    pub fn misplaced(&self, format: &str) -> Option<FormatOption> {
        if !PREBUILT_FORMATS.contains(&format) {
            return None;
        }
        [
            (self.no_rowids, FormatOption::NoRowids),
            (self.target.is_some(), FormatOption::Target),
            (self.null.is_some(), FormatOption::Null),
            (self.no_header, FormatOption::NoHeader),
            (self.blobs.is_some(), FormatOption::Blobs),
            (self.types.is_some(), FormatOption::Types),
            (self.uncompressed, FormatOption::Uncompressed),
        ]
        .into_iter()
        .find(|(given, option)| *given && !option.formats().contains(&format))
        .map(|(_, option)| option)
    }
}

/// Whether a format is made of the database's pages, which a component gets at only if it is asked for: the database file
/// itself.
pub fn reads_pages(format: &str) -> bool {
    format == "sqlite"
}

/// The setting that makes the component skip damaged data instead of failing.
pub fn skip_damaged() -> (String, String) {
    ("damaged".to_owned(), "skip".to_owned())
}

/// The media type of an object in a format, unless it is encoded.
pub fn media_type(format: &str) -> &'static str {
    match format {
        "sql" => "application/sql",
        "sqlite" => "application/vnd.sqlite3",
        "csv" => "text/csv; charset=utf-8",
        "ndjson" => "application/x-ndjson",
        "json" => "application/json",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_settings_of_their_format() {
        let csv = FormatOptions {
            null: Some(String::new()),
            no_header: true,
            blobs: Some(Blobs::Base64),
            ..FormatOptions::default()
        };
        let settings = [("null", ""), ("header", "no"), ("blobs", "base64")];
        assert_eq!(csv.settings(), settings.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(csv.misplaced("csv"), None);
        assert_eq!(csv.misplaced("json"), Some(FormatOption::Null));
        let sql = FormatOptions { no_rowids: true, target: Some(Target::Sqlite), ..csv.clone() };
        assert_eq!(sql.misplaced("csv"), Some(FormatOption::NoRowids));
        assert_eq!(sql.misplaced("xml"), None);
        let types = Some(ColumnTypes::Declared);
        let parquet = FormatOptions { types, uncompressed: true, ..FormatOptions::default() };
        let settings = [("types", "declared"), ("compression", "none")];
        assert_eq!(parquet.settings(), settings.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(parquet.misplaced("parquet"), None);
        assert_eq!(parquet.misplaced("csv"), Some(FormatOption::Types));
        assert_eq!(csv.misplaced("parquet"), Some(FormatOption::Null));
        assert_eq!(FormatOptions::default().settings(), []);
    }
}
