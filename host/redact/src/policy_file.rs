//! Policies in TOML.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use partway_redactor::{Dependents, Policy, TablePolicy, Unlisted};
use serde::Deserialize;

use crate::RedactError;

/// A policy as people write it: as the component takes it, but for the key, which may be in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyText {
    #[serde(default)]
    unlisted: Unlisted,
    #[serde(default)]
    dependents: Dependents,
    key: Option<String>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    leave_out: Vec<String>,
    #[serde(default)]
    tables: BTreeMap<String, TablePolicy>,
}

/// Reads a policy from a file. Its `key_file` is relative to the file's folder.
///
/// # Errors
///
/// All of [`RedactError`] but [`RedactError::KeyFile`] and [`RedactError::Compose`].
pub fn read_policy(path: &Path) -> Result<Policy, RedactError> {
    parse(&read(path)?, |file| key(&path.parent().unwrap_or(Path::new("")).join(file)))
}

/// Reads a policy from its text, with its key in it.
///
/// # Errors
///
/// [`RedactError::Toml`], [`RedactError::TwoKeys`], [`RedactError::KeyFile`] and [`RedactError::Policy`].
pub fn parse_policy(text: &str) -> Result<Policy, RedactError> {
    parse(text, |_| Err(RedactError::KeyFile))
}

fn parse(
    text: &str,
    key_of: impl FnOnce(&Path) -> Result<String, RedactError>,
) -> Result<Policy, RedactError> {
    let parsed: Result<PolicyText, _> = toml::from_str(text);
    let text = parsed.map_err(|error| RedactError::Toml(error.to_string()))?;
    let key = match (text.key, text.key_file) {
        (Some(_), Some(_)) => return Err(RedactError::TwoKeys),
        (key, None) => key,
        (None, Some(file)) => Some(key_of(&file)?),
    };
    let PolicyText { unlisted, dependents, keep, leave_out, tables, .. } = text;
    let policy = Policy { unlisted, dependents, key, keep, leave_out, tables };
    policy.check()?;
    Ok(policy)
}

/// A key from a file: its text, without the end of its last line.
fn key(path: &Path) -> Result<String, RedactError> {
    let bytes =
        fs::read(path).map_err(|source| RedactError::Read { path: path.to_owned(), source })?;
    let text =
        String::from_utf8(bytes).map_err(|_| RedactError::BinaryKey { path: path.to_owned() })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn read(path: &Path) -> Result<String, RedactError> {
    fs::read_to_string(path).map_err(|source| RedactError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use partway_redactor::{Comparison, Literal, Rule};

    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let policy = parse_policy(
            "unlisted = 'keep'
             dependents = 'leave-out'
             key = '0123456789abcdef'
             keep = ['countries']
             leave_out = ['sessions']

             [tables.users]
             rows = { column = 'country', is = '=', value = 'DE' }
             [tables.users.columns]
             id = 'keep'
             email = 'hash'
             name = 'mask'
             phone = 'null'
             age = { value = 18 }
             \"odd name\" = 'drop'",
        )
        .unwrap();
        assert_eq!((policy.unlisted, policy.dependents), (Unlisted::Keep, Dependents::LeaveOut));
        let users = &policy.tables["users"];
        let rows = users.rows.as_ref().unwrap();
        assert_eq!((rows.is, &rows.value), (Comparison::Equal, &Literal::Text("DE".to_owned())));
        assert_eq!(users.columns["odd name"], Rule::Drop);
        assert_eq!(users.columns["age"], Rule::Value(Literal::Integer(18)));
    }

    #[test]
    fn nothing_said_is_everything_refused() {
        let policy = parse_policy("").unwrap();
        assert_eq!((policy.unlisted, policy.dependents), (Unlisted::Refuse, Dependents::Refuse));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("unlisted = 'kep'", "kep"),
            ("tables = 1", "tables"),
            ("[tables.users]\ncolums = {}", "colums"),
            ("[tables.users.columns]\na = 'hsah'", "hsah"),
            ("[tables.users.columns]\na = true", "line 2"),
            ("key = '0123456789abcdef'\nkey_file = 'x'", "both"),
            ("key_file = 'x'", "file for its key"),
            ("key = 'short'", "16"),
        ] {
            let error = parse_policy(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
