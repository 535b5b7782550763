//! What is to restore the dump, and the bounds that it sets.

/// What is to restore the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The stock `sqlite3` program, into a database like the one that was exported.
    Sqlite,
    /// A Durable Object or D1: short statements, no transaction of its own, no writing of the schema table,
    /// foreign keys enforced.
    D1,
}

/// Bounds on a dump's statements, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A statement of rows, unless one row alone is longer.
    pub(super) statement: u64,
    /// The text and blobs of a batch, and a piece that is read of a longer value.
    pub(super) batch: u32,
    /// A row's long values that may be written in the row. Those beyond are rebuilt.
    pub(super) in_row: u64,
    /// The piece of a value in one statement that rebuilds it.
    pub(super) piece: u32,
}

impl Target {
    /// What its statements may have. `from_utf16`: text is converted, and each two bytes of it may become three.
    pub(super) fn limits(self, from_utf16: bool) -> Limits {
        let share = |bytes: u32| if from_utf16 { bytes / 3 * 2 } else { bytes };
        match self {
            Self::Sqlite => Limits {
                // From here on larger statements restore no faster, and SQLite's parser holds the whole of one
                // in memory.
                statement: 64 * 1024,
                // The cost of crossing into the host is lost in the noise, and memory stays small.
                batch: 256 * 1024,
                // SQLite takes statements of 10^9 bytes, and hexadecimal digits are two bytes each; half of
                // that leaves room for the rest of the row, and for doubled quotes.
                in_row: 250_000_000,
                piece: 250_000_000,
            },
            Self::D1 => Limits {
                // There a statement is compiled to 25,000 operations at most: one a value, and a few a row.
                statement: 16 * 1024,
                batch: share(32 * 1024),
                // A statement may have 100,000 bytes, and every byte of a value may take two of them.
                in_row: 0,
                piece: share(45_000),
            },
        }
    }

    /// The most values of a row in a statement of several rows: they are a compound SELECT, whose columns
    /// `SQLITE_LIMIT_COLUMN` bounds. A table may have as many columns, and its rowid comes on top.
    pub(super) fn max_values(self) -> usize {
        match self {
            Self::Sqlite => 2000,
            Self::D1 => 100,
        }
    }

    /// Whether it stores text in UTF-8, whatever the encoding of the database.
    pub(super) fn is_utf8(self) -> bool {
        self == Self::D1
    }

    /// Whether carriage returns in a statement reach the database as they are. The `sqlite3` program drops
    /// one before a line's end.
    pub(super) fn keeps_carriage_returns(self) -> bool {
        self == Self::D1
    }
}
