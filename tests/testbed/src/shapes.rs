//! Databases of one shape each, for measurements: what an export costs depends on what it meets.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, Statement, Transaction, params};

use crate::{Random, write_sample};

/// What a database mostly holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The shop of [`write_sample`]: related tables, prose, prices, blobs, indexes.
    Real,
    /// Four small integers a row.
    Integers,
    /// Ten texts a row, some with quotes.
    Text,
    /// Blobs of one to eight kilobytes.
    Blobs,
    /// Tables of about a hundred rows each.
    ManyTables,
    /// One table with ten columns of all kinds.
    OneTable,
    /// One table in the order of a key of text and integer.
    WithoutRowid,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Real,
        Self::Integers,
        Self::Text,
        Self::Blobs,
        Self::ManyTables,
        Self::OneTable,
        Self::WithoutRowid,
    ];

    /// A word for it, for file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Integers => "integers",
            Self::Text => "text",
            Self::Blobs => "blobs",
            Self::ManyTables => "many-tables",
            Self::OneTable => "one-table",
            Self::WithoutRowid => "without-rowid",
        }
    }

    /// A few words for it, for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::Real => "realistic: a shop",
            Self::Integers => "narrow integers",
            Self::Text => "wide text",
            Self::Blobs => "blobs",
            Self::ManyTables => "many small tables",
            Self::OneTable => "one big table",
            Self::WithoutRowid => "WITHOUT ROWID",
        }
    }

    /// Writes a database of this shape, of about so many megabytes, to a path where there is none yet. The same bytes
    /// every time.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn write(self, path: &Path, megabytes: u64) -> Result<()> {
        if self == Self::Real {
            // Its unit is somewhat less than a megabyte.
            return write_sample(path, megabytes * 4 / 3);
        }
        let mut connection =
            Connection::open(path).with_context(|| format!("creating {}", path.display()))?;
        connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
        let transaction = connection.transaction()?;
        let mut random = Random::new(self as u64 + 1);
        match self {
            Self::Real => {}
            Self::Integers => integers(&transaction, megabytes * 55_000, &mut random)?,
            Self::Text => text(&transaction, megabytes * 2_700, &mut random)?,
            Self::Blobs => blobs(&transaction, megabytes * 200, &mut random)?,
            // Databases of many tables are small ones.
            Self::ManyTables => many_tables(&transaction, megabytes * 12, &mut random)?,
            Self::OneTable => one_table(&transaction, megabytes * 6_400, &mut random)?,
            Self::WithoutRowid => without_rowid(&transaction, megabytes * 15_000, &mut random)?,
        }
        transaction.commit()?;
        Ok(())
    }
}

fn prepared<'t>(to: &'t Transaction<'_>, table: &str, insert: &str) -> Result<Statement<'t>> {
    to.execute_batch(table)?;
    Ok(to.prepare(insert)?)
}

fn integers(to: &Transaction<'_>, rows: u64, random: &mut Random) -> Result<()> {
    let mut insert =
        prepared(to, "CREATE TABLE n (a, b, c, d)", "INSERT INTO n VALUES (?1, ?2, ?3, ?4)")?;
    for row in 0..rows {
        let small = random.below(100);
        let middle = random.below(100_000);
        insert.execute(params![
            row as i64,
            small,
            middle as i64 - 50_000,
            random.below(1 << 31)
        ])?;
    }
    Ok(())
}

/// Words with here and there a quote or a letter beyond ASCII.
fn words(random: &mut Random, most: u64) -> String {
    const WORDS: [&str; 12] = [
        "the", "parcel", "arrived", "in", "März", "it's", "late", "again", "customer", "order",
        "of", "Tuesday",
    ];
    let mut text = String::new();
    for word in 0..=random.below(most) {
        if word > 0 {
            text.push(' ');
        }
        text.push_str(random.pick(&WORDS));
    }
    text
}

fn text(to: &Transaction<'_>, rows: u64, random: &mut Random) -> Result<()> {
    let mut insert = prepared(
        to,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT, e TEXT, f TEXT, g TEXT, h TEXT, \
         i TEXT, j TEXT)",
        "INSERT INTO t VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for _ in 0..rows {
        let cells: [String; 10] = std::array::from_fn(|_| words(random, 12));
        insert.execute(rusqlite::params_from_iter(cells))?;
    }
    Ok(())
}

fn blobs(to: &Transaction<'_>, rows: u64, random: &mut Random) -> Result<()> {
    let mut insert = prepared(
        to,
        "CREATE TABLE b (id INTEGER PRIMARY KEY, data BLOB)",
        "INSERT INTO b VALUES (NULL, ?1)",
    )?;
    for _ in 0..rows {
        let length = 1_000 + random.below(7_000) as usize;
        insert.execute([random.bytes(length)])?;
    }
    Ok(())
}

fn many_tables(to: &Transaction<'_>, tables: u64, random: &mut Random) -> Result<()> {
    for table in 0..tables {
        let mut insert = prepared(
            to,
            &format!(
                "CREATE TABLE small_{table} (id INTEGER PRIMARY KEY, name TEXT, amount REAL, at INTEGER)"
            ),
            &format!("INSERT INTO small_{table} VALUES (NULL, ?1, ?2, ?3)"),
        )?;
        for row in 0..50 + random.below(100) {
            let amount = random.below(1_000_000) as f64 / 100.0;
            insert.execute(params![words(random, 12), amount, 1_700_000_000 + row])?;
        }
    }
    Ok(())
}

fn one_table(to: &Transaction<'_>, rows: u64, random: &mut Random) -> Result<()> {
    let mut insert = prepared(
        to,
        "CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, user INTEGER, amount REAL, share REAL, \
         note TEXT, agent TEXT, state INTEGER, token BLOB)",
        "INSERT INTO event VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for row in 0..rows {
        insert.execute(params![
            1_700_000_000_000_i64 + row as i64 * 37,
            random.pick(&["open", "close", "payment"]),
            random.below(1_000_000),
            random.below(1_000_000) as f64 / 100.0,
            random.below(u64::from(u32::MAX)) as f64 / 7.0e9,
            words(random, 10),
            (random.below(4) > 0).then(|| format!(
                "agent/{}.{}",
                random.below(9),
                random.below(99)
            )),
            random.below(5),
            random.bytes(16),
        ])?;
    }
    Ok(())
}

fn without_rowid(to: &Transaction<'_>, rows: u64, random: &mut Random) -> Result<()> {
    let mut insert = prepared(
        to,
        "CREATE TABLE w (name TEXT, number INTEGER, value TEXT, weight REAL, PRIMARY KEY (name, number DESC)) \
         WITHOUT ROWID",
        "INSERT INTO w VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in 0..rows {
        // In order, so that making it is quick and its pages are full.
        let name = format!("key {:012}", row / 8);
        let weight = random.below(10_000) as f64 / 100.0;
        insert.execute(params![name, 8 - row as i64 % 8, words(random, 6), weight])?;
    }
    Ok(())
}
