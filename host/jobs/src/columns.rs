//! Values as the job store's columns hold them.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

use crate::state_error::StateError;

/// A value as JSON text.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StateError> {
    serde_json::to_string(value)
        .map_err(|error| StateError::Unsaveable { reason: error.to_string() })
}

/// Paths of databases as JSON text, as jobs have them.
pub(crate) fn paths(paths: &[&Path]) -> Result<String, StateError> {
    json(&paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
}

/// A column of JSON text, unless it is NULL.
pub(crate) fn from_json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| odd(column, error.to_string())))
        .transpose()
}

/// A column of milliseconds since 1970, unless it is NULL.
pub(crate) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let milliseconds: Option<i64> = row.get(column)?;
    milliseconds
        .map(|at| Timestamp::from_millisecond(at).map_err(|error| odd(column, error.to_string())))
        .transpose()
}

/// A column holds what no version has written.
pub(crate) fn odd(column: &str, reason: String) -> rusqlite::Error {
    let reason = format!("column {column}: {reason}");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, reason.into())
}
