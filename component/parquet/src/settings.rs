//! The settings of the format.

use alloc::format;
use alloc::string::String;

use partway_format::pipe::Error;
use partway_format::subset::{SETTINGS, Subset};

/// The format's name.
pub(crate) const FORMAT: &str = "parquet";

/// A row group's values in bytes, and the least that may be asked for.
const ROW_GROUP: usize = 16 * 1024 * 1024;
const SMALLEST_ROW_GROUP: usize = 64 * 1024;

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Snappy,
}

/// By what the columns' types are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    /// In STRICT tables by what is declared, in others by what is stored.
    Auto,
    Stored,
    Declared,
}

/// The settings, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `compression=snappy`, the default, or `none`.
    pub(crate) compression: Compression,
    /// `types=stored|declared`.
    pub(crate) types: Types,
    /// `row-group=BYTES`: the values in a row group, as they are without compression. At most 16 MiB, the default: they
    /// are in memory.
    pub(crate) row_group: usize,
    /// `damaged=stop`, the default, or `skip`: what to do where rows can't be read.
    pub(crate) skip_damaged: bool,
}

impl Settings {
    /// Reads them; of two with the same name the later counts. Which part is asked for is not its concern.
    pub(crate) fn new(settings: &[(String, String)]) -> Result<Self, Error> {
        let mut read = Self {
            compression: Compression::Snappy,
            types: Types::Auto,
            row_group: ROW_GROUP,
            skip_damaged: false,
        };
        for (name, value) in settings {
            match (name.as_str(), value.as_str()) {
                ("compression", "snappy") => read.compression = Compression::Snappy,
                ("compression", "none") => read.compression = Compression::None,
                ("types", "stored") => read.types = Types::Stored,
                ("types", "declared") => read.types = Types::Declared,
                ("row-group", bytes) => read.row_group = row_group(bytes)?,
                ("damaged", "stop") => read.skip_damaged = false,
                ("damaged", "skip") => read.skip_damaged = true,
                (name, _) if Subset::has_setting(name) => {}
                _ => {
                    return Err(Error::InvalidOptions(format!(
                        "format {FORMAT:?} has no setting {name}={value}: use compression=snappy|none, \
                         types=stored|declared, row-group=BYTES, damaged=stop|skip, content=all|data, {SETTINGS}"
                    )));
                }
            }
        }
        Ok(read)
    }
}

fn row_group(text: &str) -> Result<usize, Error> {
    let is_possible = |bytes: &usize| (SMALLEST_ROW_GROUP..=ROW_GROUP).contains(bytes);
    text.parse().ok().filter(is_possible).ok_or_else(|| {
        Error::InvalidOptions(format!(
            "a row group can't have {text:?} bytes: use a number from {SMALLEST_ROW_GROUP} to {ROW_GROUP}, the default"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Settings, Error> {
        let settings: alloc::vec::Vec<_> =
            settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::new(&settings)
    }

    #[test]
    fn settings_are_read() {
        let all = [
            ("compression", "none"),
            ("types", "declared"),
            ("row-group", "65536"),
            ("damaged", "skip"),
            ("limit", "5"),
        ];
        let expected = Settings {
            compression: Compression::None,
            types: Types::Declared,
            row_group: 65_536,
            skip_damaged: true,
        };
        assert_eq!(read(&all).unwrap(), expected);
        for (name, value) in [
            ("compression", "zstd"),
            ("types", ""),
            ("row-group", "1"),
            ("row-group", "16777217"),
            ("row-group", "+65536 "),
            ("header", "no"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
