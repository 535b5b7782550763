//! What a policy says. People write it as TOML; the component gets it as JSON.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// What may leave the database, and in which form. Names are compared as SQLite does: ASCII letters without regard to
/// case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What becomes of tables and columns that the policy does not name.
    #[serde(default)]
    pub unlisted: Unlisted,
    /// What becomes of views, triggers, indexes, constraints and virtual tables that could tell what is left out.
    #[serde(default)]
    pub dependents: Dependents,
    /// The key of hashes: at least 16 bytes of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Tables that are kept as they are, with all columns that they have now or later.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Tables, views, indexes and triggers that are left out.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// Tables of which only a part is kept, by name.
    #[serde(default)]
    pub tables: BTreeMap<String, TablePolicy>,
}

/// What becomes of what the policy does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlisted {
    /// The export is refused.
    #[default]
    Refuse,
    /// It is kept.
    Keep,
}

/// What becomes of what could tell what is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependents {
    /// The export is refused.
    #[default]
    Refuse,
    /// It is left out too.
    LeaveOut,
}

/// What is kept of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePolicy {
    /// Columns, by name.
    #[serde(default)]
    pub columns: BTreeMap<String, Rule>,
    /// Which rows are kept; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowFilter>,
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Its values are kept.
    Keep,
    /// One constant stands for every value, NULL too: `***`, 0 or an empty blob, as the column's type asks for.
    Mask,
    /// This constant stands for every value, NULL too.
    Value(Literal),
    /// Each value's HMAC-SHA-256 by the policy's key stands for it, so that equal values stay equal. NULL stays NULL.
    Hash,
    /// NULL stands for every value.
    Null,
    /// The column is left out.
    Drop,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// An integer.
    Integer(i64),
    /// A float, neither infinite nor NaN.
    Real(f64),
    /// A text.
    Text(String),
}

/// A condition for rows to be kept. A row whose value is NULL, or no number where the constant is a number, or no text
/// where it is a text, is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFilter {
    /// The column whose value is compared.
    pub column: String,
    /// How.
    pub is: Comparison,
    /// With what.
    pub value: Literal,
}

/// How a value is compared. Texts are compared by their characters, in the order of Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Equal.
    #[serde(rename = "=")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
    /// Greater or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
}

/// Why a policy can't be used, whatever the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is no policy in JSON.
    #[error("the policy can't be read: {0}")]
    Unreadable(String),
    /// A column is hashed without a key.
    #[error("table {table:?}: column {column:?} is to be hashed, but the policy has no key")]
    NoKey {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The key is too short.
    #[error(
        "the key for hashes has {0} bytes: it needs at least {SHORTEST_KEY}, such as the output of `openssl rand -hex 32`"
    )]
    ShortKey(usize),
    /// A constant is infinite or NaN.
    #[error("table {table:?}: a constant is infinite or not a number")]
    NoFiniteNumber {
        /// The table.
        table: String,
    },
}

impl Policy {
    /// Reads a policy that [`Policy::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// All of [`PolicyError`].
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = serde_json::from_str(text)
            .map_err(|error| PolicyError::Unreadable(error.to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    /// The policy as the component takes it: always the same text for the same policy. It contains the key.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoFiniteNumber`], and those of [`Policy::check`].
    pub fn to_json(&self) -> Result<String, PolicyError> {
        self.check()?;
        serde_json::to_string(self).map_err(|error| PolicyError::Unreadable(error.to_string()))
    }

    /// Checks what can be checked without a database.
    ///
    /// # Errors
    ///
    /// All but [`PolicyError::Unreadable`].
    pub fn check(&self) -> Result<(), PolicyError> {
        if let Some(key) = &self.key
            && key.len() < SHORTEST_KEY
        {
            return Err(PolicyError::ShortKey(key.len()));
        }
        for (table, policy) in &self.tables {
            for (column, rule) in &policy.columns {
                if *rule == Rule::Hash && self.key.is_none() {
                    let (table, column) = (table.clone(), column.clone());
                    return Err(PolicyError::NoKey { table, column });
                }
            }
            let constants = policy.columns.values().filter_map(|rule| match rule {
                Rule::Value(value) => Some(value),
                _ => None,
            });
            let mut constants = constants.chain(policy.rows.iter().map(|filter| &filter.value));
            let is_odd =
                |value: &Literal| matches!(value, Literal::Real(real) if !real.is_finite());
            if constants.any(is_odd) {
                return Err(PolicyError::NoFiniteNumber { table: table.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_through_json() {
        let text = r#"{"unlisted":"keep","dependents":"leave-out","key":"0123456789abcdef","keep":["k"],
            "leave_out":["v"],"tables":{"t":{"columns":{"a":"hash","b":{"value":1.5},"c":{"value":"x"},"d":{"value":7}},
            "rows":{"column":"a","is":">=","value":"x"}}}}"#;
        let policy = Policy::from_json(text).unwrap();
        let columns = &policy.tables["t"].columns;
        assert_eq!(columns["a"], Rule::Hash);
        assert_eq!(columns["b"], Rule::Value(Literal::Real(1.5)));
        assert_eq!(columns["d"], Rule::Value(Literal::Integer(7)));
        assert_eq!(Policy::from_json(&policy.to_json().unwrap()), Ok(policy));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, part) in [
            ("{", "can't be read"),
            (r#"{"unlsted":"keep"}"#, "unlsted"),
            (r#"{"tables":{"t":{"columns":{"a":"hsah"}}}}"#, "hsah"),
            (r#"{"tables":{"t":{"columns":{"a":"hash"}}}}"#, "no key"),
            (r#"{"key":"short"}"#, "5 bytes"),
        ] {
            let error = Policy::from_json(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
