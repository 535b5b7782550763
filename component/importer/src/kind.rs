//! What the statements of a dump do, by their first bytes.

/// What a statement does, as far as that matters to whoever counts or runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A PRAGMA: sets something of the connection or of the database.
    Setting,
    /// Creates one of the user's tables, or the one in which a dump for D1 joins long values.
    Table,
    /// Creates a virtual table.
    VirtualTable,
    /// Inserts rows into one of the user's tables, whose name without its first quote follows.
    Rows(&'a [u8]),
    /// Anything else. The rows of SQLite's own tables are not the user's.
    Other,
}

impl<'a> Kind<'a> {
    /// What a statement does that begins like this. It takes the beginning that a [`Span`](crate::Span) holds.
    pub fn of(head: &'a [u8]) -> Self {
        if let Some(name) = after(head, b"INSERT INTO \"") {
            return if after(name, b"sqlite_").is_some() { Self::Other } else { Self::Rows(name) };
        }
        if after(head, b"PRAGMA ").is_some() {
            return Self::Setting;
        }
        match after(head, b"CREATE TABLE ") {
            Some(name) if after(name, b"IF NOT EXISTS ").is_some() => Self::Other,
            Some(_) => Self::Table,
            None if after(head, b"CREATE VIRTUAL TABLE ").is_some() => Self::VirtualTable,
            None => Self::Other,
        }
    }
}

/// The text after some words, whatever their case. None: it does not begin with them.
pub fn after<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_at_checked(words.len())?;
    first.eq_ignore_ascii_case(words).then_some(rest)
}
