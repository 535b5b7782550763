//! Whether two SQLite databases are the same, to the bit.
//!
//! Compared are the header numbers and the encoding, the schema text of every object, every stored cell's
//! storage class and bytes (text as it is stored, floats to the bit), and rowids where a name reaches
//! them. What has no order that anybody sees is compared as a set: SQLite's own tables, and tables whose
//! rowids no name reaches. Of a virtual table the schema text is compared, and its shadow tables are
//! tables like others; its module is not needed.
//!
//! Neither database is ever held in memory: both are read side by side.

mod columns;
mod cursor;
mod database;
mod difference;
mod ordered;
mod rows;
mod unordered;
mod value;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::database::Database;
pub use difference::{Difference, Object, Side};

/// Why two databases can't be compared. A table that can't be read is no error but a
/// [`Difference`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be opened.
    #[error("{} can't be opened: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// It is open, but even its header or its schema can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
}

/// How many differences [`compare`] gives at most.
const MOST: usize = 100;

/// Compares two databases, and gives the first hundred differences. None: they are the same.
///
/// # Errors
///
/// [`Error`], where the schema of one can't be read.
pub fn compare(original: &Path, copy: &Path) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    compare_each(original, copy, |difference| {
        if differences.len() < MOST {
            differences.push(difference);
        }
    })?;
    Ok(differences)
}

/// Compares two databases, and hands over every difference as it is found: there may be one a cell.
///
/// # Errors
///
/// [`Error`], where the schema of one can't be read.
pub fn compare_each(
    original: &Path,
    copy: &Path,
    mut found: impl FnMut(Difference),
) -> Result<(), Error> {
    let original = Database::open(original)?;
    let copy = Database::open(copy)?;
    for (before, after) in original.header.iter().zip(&copy.header) {
        if before != after {
            found(Difference::Header {
                name: before.0,
                original: before.1.clone(),
                copy: after.1.clone(),
            });
        }
    }
    let pair = Pair::new(&original, &copy);
    let (before, after) = (original.schema(pair.form)?, copy.schema(pair.form)?);
    for (object, entry) in &before {
        match after.get(object) {
            None => found(Difference::Missing { object: object.clone() }),
            Some(other) if other.sql != entry.sql => {
                let (original, copy) =
                    value::shown_pair(entry.sql.as_value(), other.sql.as_value(), pair.form);
                found(Difference::Schema { object: object.clone(), original, copy });
            }
            Some(_) => {}
        }
    }
    for object in after.keys().filter(|object| !before.contains_key(*object)) {
        found(Difference::New { object: object.clone() });
    }
    for (object, entry) in &before {
        if let Some(other) = after.get(object)
            && entry.has_rows
            && other.has_rows
        {
            rows::compare(&pair, object, &mut found);
        }
    }
    Ok(())
}

/// Two databases, and how their text is read.
struct Pair<'a> {
    original: &'a Database,
    copy: &'a Database,
    form: value::Form,
}

impl<'a> Pair<'a> {
    fn new(original: &'a Database, copy: &'a Database) -> Self {
        // In different encodings no text has the same bytes. That is told once, and then the characters count.
        let form = if original.form() == copy.form() { original.form() } else { value::Form::Utf8 };
        Self { original, copy, form }
    }
}
