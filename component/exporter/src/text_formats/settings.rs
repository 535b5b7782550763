//! The settings of these formats.

use alloc::format;
use alloc::string::String;

use super::layout::FormatName;
use crate::pipe::Error;
use crate::subset::{SETTINGS, Subset};

/// How blobs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blobs {
    /// In an object that says so, in base64: JSON's default.
    Tagged,
    /// As text of two hexadecimal digits a byte: CSV's default.
    Hex,
    /// As text in base64 (RFC 4648, padded).
    Base64,
}

/// The settings, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// `blobs=hex|base64`.
    pub(super) blobs: Blobs,
    /// `null=TEXT`, for CSV: what is written for NULL; by default, nothing.
    pub(super) null: String,
    /// `header=yes`, the default, or `no`, for CSV: whether the first line names the columns.
    pub(super) header: bool,
    /// `damaged=stop`, the default, or `skip`: what to do where rows can't be read.
    pub(super) skip_damaged: bool,
}

impl Settings {
    /// Reads them; of two with the same name the later counts. Which part is asked for is not its concern.
    pub(super) fn new(format: FormatName, settings: &[(String, String)]) -> Result<Self, Error> {
        let is_csv = format == FormatName::Csv;
        let mut read = Self {
            blobs: if is_csv { Blobs::Hex } else { Blobs::Tagged },
            null: String::new(),
            header: true,
            skip_damaged: false,
        };
        for (name, value) in settings {
            match (name.as_str(), value.as_str()) {
                ("blobs", "hex") => read.blobs = Blobs::Hex,
                ("blobs", "base64") => read.blobs = Blobs::Base64,
                ("null", text) if is_csv => read.null = null_text(text)?,
                ("header", "yes") if is_csv => read.header = true,
                ("header", "no") if is_csv => read.header = false,
                ("damaged", "stop") => read.skip_damaged = false,
                ("damaged", "skip") => read.skip_damaged = true,
                (name, _) if Subset::has_setting(name) => {}
                _ => {
                    let own = if is_csv { "null=TEXT, header=yes|no, " } else { "" };
                    return Err(Error::InvalidOptions(format!(
                        "format {:?} has no setting {name}={value}: use {own}blobs=hex|base64, damaged=stop|skip, \
                         content=all|data, {SETTINGS}",
                        format.text()
                    )));
                }
            }
        }
        Ok(read)
    }
}

/// A text for NULL stands in a line without quotes, and no value may look the same.
fn null_text(text: &str) -> Result<String, Error> {
    let breaks = |byte: u8| matches!(byte, b'"' | b',' | b'\r' | b'\n' | 0);
    let is_value =
        matches!(text, "Infinity" | "-Infinity") || text.parse::<f64>().is_ok_and(f64::is_finite);
    if text.bytes().any(breaks) || is_value {
        return Err(Error::InvalidOptions(format!(
            "{text:?} can't stand for NULL: choose a text without quotes, commas and line ends that is no number"
        )));
    }
    Ok(String::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: FormatName, settings: &[(&str, &str)]) -> Result<Settings, Error> {
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::new(format, &settings)
    }

    #[test]
    fn each_format_has_its_own_settings() {
        let all = [("null", "\\N"), ("header", "no"), ("blobs", "base64"), ("damaged", "skip")];
        let expected = Settings {
            blobs: Blobs::Base64,
            null: "\\N".into(),
            header: false,
            skip_damaged: true,
        };
        assert_eq!(read(FormatName::Csv, &all).unwrap(), expected);
        for format in [FormatName::Json, FormatName::Ndjson] {
            assert!(read(format, &all[2..]).is_ok());
            for setting in all[..2].iter().chain(&[("rowids", "drop"), ("blobs", "octal")]) {
                let error = read(format, &[*setting]).unwrap_err().to_string();
                assert!(error.contains(&format!("no setting {}=", setting.0)), "{error}");
            }
        }
    }

    #[test]
    fn no_value_looks_like_null() {
        for text in ["a,b", "\"", "a\nb", "\r", "\0", "0", "-1.5e3", "Infinity"] {
            assert!(read(FormatName::Csv, &[("null", text)]).is_err(), "{text:?}");
        }
        for text in ["", "NULL", "\\N", "NaN", "n/a", "é"] {
            assert_eq!(read(FormatName::Csv, &[("null", text)]).unwrap().null, text);
        }
    }
}
