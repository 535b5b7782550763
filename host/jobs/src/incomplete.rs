//! Exports of damaged databases, in which rows are missing.

/// An export in which rows are missing because the database is damaged. Its object exists
/// nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the export is incomplete: the database is damaged in table {}; everything else was exported. \
     `sqlite3 FILE .recover` may recover more", .0.join("; in table ")
)]
pub struct Incomplete(
    /// The tables, with the reason of each: [`Totals::damaged`](crate::Totals::damaged).
    pub Vec<String>,
);

impl Incomplete {
    /// The error for these tables.
    pub fn new(damaged: &[String]) -> Self {
        Self(damaged.to_vec())
    }
}
