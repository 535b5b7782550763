//! The command line of `partway export`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use partway_jobs::{
    Content, FormatOption, FormatOptions, PREBUILT_FORMATS, filtered, reads_pages, subset_settings,
};
use partway_store::StoreAddress;

use super::encoding::EncodingArguments;
use super::values::{SnapshotMode, condition, duration, name, rows, size};

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The database file, which is opened read-only
    pub database: PathBuf,

    /// Where the object goes: a folder that exists, file:///folder, s3://bucket/prefix (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers) or r2://account/bucket/prefix
    #[arg(long, value_name = "STORE")]
    pub to: Option<StoreAddress>,

    /// The object's name; a number is added if it is taken [default: dump_YYYYMMDD-HHMMSS.FORMAT, in
    /// UTC, with .zst, .gz or .age behind it if it is encoded]
    #[arg(long, requires = "to", value_parser = name)]
    pub name: Option<String>,

    /// The object's format: sql, which restores the database; sqlite, the database file itself; csv, of one table; ndjson,
    /// a line a row; json; parquet, of one table; or one that --component knows
    #[arg(long, default_value = "sql")]
    pub format: String,

    #[command(flatten)]
    pub encoding: EncodingArguments,

    /// Export only this table, in SQL with its indexes and triggers, or the tables with a name like this, such as 'log_*'
    /// or 'log_202?'; may be repeated
    #[arg(long = "table", value_name = "TABLE", allow_hyphen_values = true)]
    pub tables: Vec<String>,

    /// Export each table to an object of its own, NAME.TABLE.FORMAT, with one manifest for all, NAME.manifest.json, which
    /// appears last; they are all of the same moment [default name: dump_YYYYMMDD-HHMMSS]
    #[arg(long, requires = "to", conflicts_with = "no_manifest")]
    pub each_table: bool,

    /// Leave out this table, or the tables with a name like this; may be repeated
    #[arg(long = "exclude-table", value_name = "TABLE", allow_hyphen_values = true)]
    pub excluded_tables: Vec<String>,

    /// Export the definitions of tables, indexes, views and triggers, and no rows
    #[arg(long, conflicts_with = "data_only")]
    pub schema_only: bool,

    /// Export rows and no definitions: for a database that has the tables
    #[arg(long)]
    pub data_only: bool,

    /// Export at most this many rows of each table: the first ones in the order of its key
    #[arg(long, value_name = "ROWS", value_parser = rows, allow_negative_numbers = true)]
    pub limit: Option<u64>,

    /// Export only those rows of a table that meet a condition, an expression of SQL, such as "orders=total > 100 AND
    /// country = 'DE'"; a name with = in it is quoted; may be repeated, for other tables
    #[arg(
        long = "where",
        value_name = "TABLE=EXPRESSION",
        value_parser = condition,
        allow_hyphen_values = true
    )]
    pub conditions: Vec<(String, String)>,

    /// The size of every part except the last, such as 8MiB: at least 4KiB for a folder, 5MiB for
    /// S3 and R2 [default: 5MiB, more for databases over 9 GiB]
    #[arg(long, value_name = "SIZE", requires = "to", value_parser = size)]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: after --slice-time only]
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration)]
    pub slice_time: Duration,

    /// Wait this long between slices
    #[arg(long, value_name = "DURATION", requires = "to", default_value = "0s", value_parser = duration)]
    pub pause: Duration,

    /// How many times in a row a failed slice is retried: after 2 s, 4 s and so on
    #[arg(
        long,
        value_name = "N",
        requires = "to",
        default_value_t = 6,
        allow_negative_numbers = true
    )]
    pub retries: u32,

    /// Write no manifest beside the object, which lists its tables and parts with their hashes, as NAME.manifest.json
    #[arg(long, requires = "to")]
    pub no_manifest: bool,

    /// Export even if the same database is already being exported to the same store
    #[arg(long, requires = "to")]
    pub concurrent: bool,

    /// Use this export component instead of the one inside the program
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,

    /// Leave personal data out as this policy says, a TOML file: columns masked, hashed or dropped, rows and tables left out
    #[arg(long, value_name = "POLICY")]
    pub redact: Option<PathBuf>,

    /// The folder where jobs are kept, with everything needed to resume them [default: the
    /// platform's folder for application state]
    #[arg(long, value_name = "DIR", requires = "to")]
    pub state: Option<PathBuf>,

    /// Leave out the rowids of tables that have no INTEGER PRIMARY KEY
    #[arg(long)]
    pub no_rowids: bool,

    /// What will load the dump [default: sqlite, the sqlite3 program]
    #[arg(long, value_enum)]
    pub target: Option<Target>,

    /// CSV: what stands for NULL, such as NULL or \N [default: nothing between the commas; empty text is ""]
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,

    /// CSV: leave out the first line, which names the columns
    #[arg(long)]
    pub no_header: bool,

    /// CSV, NDJSON, JSON: write blobs as text in this encoding [default: csv: hex; ndjson and json: base64, in an object
    /// {"blob":"…"}]
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub blobs: Option<Blobs>,

    /// Parquet: choose the columns' types by what is stored, or by what is declared: a value that does not fit is an error
    /// then [default: declared for STRICT tables, stored for others]
    #[arg(long, value_enum, value_name = "BY")]
    pub types: Option<Types>,

    /// Parquet: do not compress its pages [default: with Snappy]
    #[arg(long)]
    pub uncompressed: bool,

    /// The largest row of a WITHOUT ROWID table, which can't be read in pieces: it takes three times as much memory
    /// [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_loaded_row: Option<u64>,

    /// How the database's state is kept during the export
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub snapshot: SnapshotMode,

    /// What to do if the database has changed since an export was interrupted
    #[arg(long, value_enum, value_name = "POLICY", requires = "to", default_value = "restart")]
    pub on_change: OnChange,

    /// Print a summary as one line of JSON on standard output
    #[arg(long, requires = "to")]
    pub json: bool,
}

/// `--target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The stock sqlite3 program
    Sqlite,
    /// D1 or a Durable Object: statements under 100,000 bytes, no transaction, no writes to the schema table
    D1,
}

impl From<Target> for partway_jobs::Target {
    fn from(target: Target) -> Self {
        match target {
            Target::Sqlite => Self::Sqlite,
            Target::D1 => Self::D1,
        }
    }
}

/// `--blobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Blobs {
    /// Two hexadecimal digits a byte
    Hex,
    /// Base64
    Base64,
}

impl From<Blobs> for partway_jobs::Blobs {
    fn from(blobs: Blobs) -> Self {
        match blobs {
            Blobs::Hex => Self::Hex,
            Blobs::Base64 => Self::Base64,
        }
    }
}

/// `--types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Types {
    /// The smallest type for all that a column holds, which takes a look at all rows
    Stored,
    /// The type that is declared
    Declared,
}

impl From<Types> for partway_jobs::ColumnTypes {
    fn from(types: Types) -> Self {
        match types {
            Types::Stored => Self::Stored,
            Types::Declared => Self::Declared,
        }
    }
}

/// `--on-change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnChange {
    /// Start over, with the database as it is now
    Restart,
    /// Fail, and leave no object
    Fail,
}

impl From<OnChange> for partway_jobs::OnChange {
    fn from(policy: OnChange) -> Self {
        match policy {
            OnChange::Restart => Self::Restart,
            OnChange::Fail => Self::Fail,
        }
    }
}

impl ExportArguments {
    /// The settings that differ from their defaults: a component by somebody else may know none of them.
    pub fn settings(&self) -> Vec<(String, String)> {
        let content = match (self.schema_only, self.data_only) {
            (true, _) => Some(Content::Schema),
            (_, true) => Some(Content::Data),
            _ => None,
        };
        let mut settings = self.format_options().settings();
        settings.extend(subset_settings(&self.excluded_tables, content, self.limit));
        // It changes nothing that a component does, but what the object says of itself.
        if self.component.is_none() {
            settings.extend(self.conditions.iter().map(|(table, _)| filtered(table)));
        }
        settings
    }

    fn format_options(&self) -> FormatOptions {
        FormatOptions {
            no_rowids: self.no_rowids,
            target: self.target.map(Into::into),
            null: self.null.clone(),
            no_header: self.no_header,
            blobs: self.blobs.map(Into::into),
            types: self.types.map(Into::into),
            uncompressed: self.uncompressed,
        }
    }

    /// What is wrong with the options of the format. A component by somebody else knows that for itself.
    pub fn misplaced(&self) -> Option<String> {
        if self.each_table && reads_pages(&self.format) {
            return Some(format!(
                "--each-table can't be used with --format {}: it is the database file, with all tables",
                self.format
            ));
        }
        if self.component.is_some() {
            return None;
        }
        if !PREBUILT_FORMATS.contains(&self.format.as_str()) {
            let [known @ .., last] = &PREBUILT_FORMATS;
            return Some(format!(
                "there is no format {:?}: use {} or {last}; --component brings others",
                self.format,
                known.join(", ")
            ));
        }
        let option = self.format_options().misplaced(&self.format)?;
        let name = match option {
            FormatOption::NoRowids => "--no-rowids",
            FormatOption::Target => "--target",
            FormatOption::Null => "--null",
            FormatOption::NoHeader => "--no-header",
            FormatOption::Blobs => "--blobs",
            FormatOption::Types => "--types",
            FormatOption::Uncompressed => "--uncompressed",
        };
        let formats = option.formats().join(", ");
        Some(format!("{name} can't be used with --format {}: it is for {formats}", self.format))
    }
}
