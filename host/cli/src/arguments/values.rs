//! Values of options that more than one command takes, and how they are parsed.

use std::time::Duration;

use bytesize::ByteSize;
use clap::ValueEnum;
use jiff::SignedDuration;
use partway_jobs::{object_name, row_filter};

/// `--snapshot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SnapshotMode {
    /// In WAL mode, hold. Otherwise hold if the export takes only seconds, or else copy
    Auto,
    /// Read in one transaction: in WAL mode writers continue and the log grows; otherwise writers wait
    Hold,
    /// Copy the database first, to the state folder, or to TMPDIR if the dump is only streamed: outside WAL mode writers
    /// wait while it is copied, and an interrupted export can be resumed even if the database has changed since
    Copy,
}

impl From<SnapshotMode> for partway_jobs::SnapshotMode {
    fn from(mode: SnapshotMode) -> Self {
        match mode {
            SnapshotMode::Auto => Self::Auto,
            SnapshotMode::Hold => Self::Hold,
            SnapshotMode::Copy => Self::Copy,
        }
    }
}

/// A name for an object.
pub fn name(text: &str) -> Result<String, String> {
    object_name(text).map_err(|error| match text.contains(['/', '\\']) {
        true => format!("{error}; give the folder or prefix with --to"),
        false => error.to_string(),
    })
}

/// A size in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let size: ByteSize =
        text.parse().map_err(|_| "not a size: write it like 8MiB or 8388608".to_owned())?;
    Ok(size.as_u64())
}

/// A length of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration: write it like 25s, 500ms or 2m".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

/// A number of rows.
pub fn rows(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "not a number of rows: write it like 1000".to_owned())
}

/// A table's name, and a condition on its rows.
pub fn condition(text: &str) -> Result<(String, String), String> {
    row_filter(text).ok_or_else(|| {
        "not a condition: write it like \"TABLE=a > 5\", the name of the table first".to_owned()
    })
}

/// A SHA-256, in lower-case digits.
pub fn sha256(text: &str) -> Result<String, String> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("not a SHA-256: write its 64 hexadecimal digits".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_understood() {
        assert_eq!(size("8MiB"), Ok(8 * 1024 * 1024));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("many").is_err());
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_number_of_rows_has_digits_alone() {
        assert_eq!(rows("0"), Ok(0));
        for text in ["", "-3", "1.5", "many", "99999999999999999999"] {
            assert!(rows(text).unwrap_err().starts_with("not a number of rows"), "{text}");
        }
    }

    #[test]
    fn a_sha256_has_64_digits() {
        assert_eq!(sha256(&"aF".repeat(32)), Ok("af".repeat(32)));
        for text in ["", "af", &"af".repeat(33), &"xy".repeat(32), &"ä".repeat(32)] {
            assert!(sha256(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_stays_where_it_belongs() {
        assert!(object_name("dump.sql").is_ok());
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b"] {
            assert!(object_name(name).is_err(), "{name}");
        }
    }
}
