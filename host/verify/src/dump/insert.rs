//! The rows of an INSERT, read without SQLite: bound to a statement that is compiled once, they are stored in about half the
//! time that it takes SQLite to read them from text.

use std::ops::Range;

use memchr::memchr;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Result};

/// Longer statements are left to SQLite: their values would be in memory twice.
const MAX_STATEMENT: usize = 1024 * 1024;

/// Parameters of a statement, about: more rows at a time save the work of beginning and ending one.
const PARAMETERS: usize = 512;

/// Integers of so many digits are in range, whichever they are.
const SHORT: usize = 18;

/// An INSERT as dumps have most of them: a table in quotes, and rows of plain literals.
///
/// All numbers of a dump are written so that rounding correctly gives them back, as here; what SQLite must
/// calculate, such as `CAST` or a quotient, is no plain literal.
pub(crate) struct Insert {
    /// Up to VALUES.
    head: String,
    columns: usize,
    /// Row by row.
    values: Vec<Value>,
    /// The bytes of texts and blobs.
    bytes: Vec<u8>,
}

/// A literal.
#[derive(Debug, PartialEq)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

impl Insert {
    /// Reads a statement. None: it is another one.
    pub(crate) fn parse(statement: &[u8]) -> Option<Self> {
        if statement.len() > MAX_STATEMENT {
            return None;
        }
        let (head, mut rest) = statement.split_at_checked(head_length(statement)?)?;
        let head = std::str::from_utf8(head).ok()?.to_owned();
        let bytes = Vec::with_capacity(rest.len());
        let mut insert = Self { head, columns: 0, values: Vec::new(), bytes };
        loop {
            let before = insert.values.len();
            rest = insert.row(rest.strip_prefix(b"\n(")?)?;
            let columns = insert.values.len() - before;
            if before > 0 && columns != insert.columns {
                return None;
            }
            insert.columns = columns;
            rest = match rest {
                b";" => return Some(insert),
                [b',', rest @ ..] => rest,
                _ => return None,
            };
        }
    }

    /// Reads a row up to its closing parenthesis, and returns what is after it.
    fn row<'s>(&mut self, mut rest: &'s [u8]) -> Option<&'s [u8]> {
        loop {
            rest = self.value(rest)?;
            rest = match rest {
                [b',', rest @ ..] => rest,
                [b')', rest @ ..] => return Some(rest),
                _ => return None,
            };
        }
    }

    /// Reads a value, and returns what is after it.
    fn value<'s>(&mut self, text: &'s [u8]) -> Option<&'s [u8]> {
        match text {
            [b'\'', rest @ ..] => self.text(rest),
            [b'x', b'\'', rest @ ..] => self.blob(rest),
            [b'N', b'U', b'L', b'L', rest @ ..] => {
                self.values.push(Value::Null);
                Some(rest)
            }
            _ => self.number(text),
        }
    }

    fn text<'s>(&mut self, mut rest: &'s [u8]) -> Option<&'s [u8]> {
        let begin = self.bytes.len();
        loop {
            let (part, after) = rest.split_at(memchr(b'\'', rest)?);
            self.bytes.extend_from_slice(part);
            match after {
                [_, b'\'', after @ ..] => {
                    self.bytes.push(b'\'');
                    rest = after;
                }
                _ => {
                    self.values.push(Value::Text(begin..self.bytes.len()));
                    return Some(&after[1..]);
                }
            }
        }
    }

    fn blob<'s>(&mut self, rest: &'s [u8]) -> Option<&'s [u8]> {
        let (digits, after) = rest.split_at(memchr(b'\'', rest)?);
        let begin = self.bytes.len();
        self.bytes.resize(begin + digits.len() / 2, 0);
        base16ct::mixed::decode(digits, &mut self.bytes[begin..]).ok()?;
        self.values.push(Value::Blob(begin..self.bytes.len()));
        Some(&after[1..])
    }

    fn number<'s>(&mut self, text: &'s [u8]) -> Option<&'s [u8]> {
        let end = text.iter().position(|byte| matches!(byte, b',' | b')'));
        let (number, rest) = text.split_at(end?);
        let digits = number.strip_prefix(b"-").unwrap_or(number);
        digits.first()?;
        if digits.len() <= SHORT && digits.iter().all(u8::is_ascii_digit) {
            let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
            let is_negative = digits.len() < number.len();
            self.values.push(Value::Integer(if is_negative { -value } else { value }));
            return Some(rest);
        }
        let is_number = |byte: &u8| byte.is_ascii_digit() || b".e+-".contains(byte);
        if !digits.first()?.is_ascii_digit() || !digits.iter().all(is_number) {
            return None;
        }
        let is_integer = digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(number).ok()?;
        self.values.push(match is_integer {
            // One that is out of range is a float to SQLite.
            true => Value::Integer(number.parse().ok()?),
            false => Value::Real(number.parse().ok()?),
        });
        Some(rest)
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + self.values.capacity() * size_of::<Value>()
    }

    /// Inserts the rows.
    pub(crate) fn run(&self, connection: &Connection) -> Result<()> {
        let rows = self.values.len() / self.columns;
        let together = (PARAMETERS / self.columns).clamp(1, rows);
        let mut rest = &self.values[..];
        if rest.len() >= together * self.columns {
            let mut statement = self.prepare(connection, together)?;
            while let Some((values, after)) = rest.split_at_checked(together * self.columns) {
                self.insert(&mut statement, values)?;
                rest = after;
            }
        }
        if !rest.is_empty() {
            let mut statement = self.prepare(connection, 1)?;
            for values in rest.chunks_exact(self.columns) {
                self.insert(&mut statement, values)?;
            }
        }
        Ok(())
    }

    /// A statement of so many rows. Those of the last few tables are kept compiled.
    fn prepare<'c>(&self, connection: &'c Connection, rows: usize) -> Result<CachedStatement<'c>> {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        connection.prepare_cached(&format!("{} {}", self.head, vec![row; rows].join(",")))
    }

    fn insert(&self, statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<()> {
        for (index, value) in (1..).zip(values) {
            let value = match value {
                Value::Null => ValueRef::Null,
                Value::Integer(value) => ValueRef::Integer(*value),
                Value::Real(value) => ValueRef::Real(*value),
                Value::Text(range) => ValueRef::Text(&self.bytes[range.clone()]),
                Value::Blob(range) => ValueRef::Blob(&self.bytes[range.clone()]),
            };
            statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(value))?;
        }
        statement.raw_execute().map(drop)
    }
}

/// The length of `INSERT INTO "name"("name",…) VALUES`, the list of columns not always there.
fn head_length(statement: &[u8]) -> Option<usize> {
    let mut rest = after_name(statement.strip_prefix(b"INSERT INTO ")?)?;
    if let Some(columns) = rest.strip_prefix(b"(") {
        rest = after_name(columns)?;
        while let Some(more) = rest.strip_prefix(b",") {
            rest = after_name(more)?;
        }
        rest = rest.strip_prefix(b")")?;
    }
    Some(statement.len() - rest.strip_prefix(b" VALUES")?.len())
}

/// What is after a name in double quotes.
fn after_name(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = &rest[memchr(b'"', rest)? + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => rest = after,
            None => return Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a table holds after an INSERT, by SQLite and by this.
    fn both(table: &str, insert: &str) -> [Vec<String>; 2] {
        [false, true].map(|bound| {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(table).unwrap();
            match bound {
                true => Insert::parse(insert.as_bytes()).unwrap().run(&connection).unwrap(),
                false => connection.execute_batch(insert).unwrap(),
            }
            let cells = "SELECT rowid || typeof(a) || quote(a) || hex(a) || typeof(b) || quote(b) || hex(b) FROM \"t\"\"\"";
            let mut statement = connection.prepare(cells).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_>>().unwrap()
        })
    }

    #[test]
    fn rows_are_those_that_sqlite_reads() {
        let values = [
            "NULL",
            "0",
            "-0",
            "-7",
            "999999999999999999",
            "-999999999999999999",
            "1000000000000000000",
            "-9223372036854775808",
            "9223372036854775807",
            "1.0",
            "-0.0",
            "9e999",
            "-9e999",
            "5.0e-324",
            "1.7976931348623157e+307",
            "12345678901234567.0",
            "''",
            "'it''s; ''(1),'''",
            "'ü\n😀'",
            "' 5 '",
            "'5.50'",
            "x''",
            "x'00ff0A'",
        ];
        let rows: Vec<_> = values.iter().map(|value| format!("({value},{value})")).collect();
        for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
            for columns in ["a, b", "a INTEGER, b REAL", "a TEXT, b BLOB", "a NUMERIC, b ANY"] {
                let table =
                    format!("PRAGMA encoding='{encoding}'; CREATE TABLE \"t\"\"\"({columns})");
                let insert = format!("INSERT INTO \"t\"\"\" VALUES\n{};", rows.join(",\n"));
                let [expected, found] = both(&table, &insert);
                assert_eq!(found, expected, "{encoding} {columns}");
                assert_eq!(found.len(), values.len());
            }
        }
    }

    #[test]
    fn any_number_of_rows_is_inserted_in_order() {
        for count in [1, 2, 255, 256, 257, 1000] {
            let rows: Vec<_> = (0..count).map(|row| format!("({row},'x{row}',{})", -row)).collect();
            let insert = format!(
                "INSERT INTO \"t\"\"\"(\"rowid\",\"a\",\"b\") VALUES\n{};",
                rows.join(",\n")
            );
            let [expected, found] = both("CREATE TABLE \"t\"\"\"(a, b)", &insert);
            assert_eq!((found.len(), found == expected), (count as usize, true));
        }
    }

    #[test]
    fn what_sqlite_must_calculate_is_left_to_it() {
        for values in [
            "(CAST(x'ff' AS TEXT))",
            "(1*4.0)",
            "(9223372036854775808)",
            "(0x10)",
            "(1e5x)",
            "(1 )",
            "(x'0')",
            "(x'0g')",
            "('a)",
            "('a'||'b')",
            "(1),\n(1,2)",
            "()",
            "(1)(2)",
            "(nul)",
            "(-)",
        ] {
            let insert = format!("INSERT INTO \"t\" VALUES\n{values};");
            assert!(Insert::parse(insert.as_bytes()).is_none(), "{values}");
        }
        for statement in [
            "INSERT INTO t VALUES\n(1);",
            "INSERT INTO \"t\"(a) VALUES\n(1);",
            "INSERT INTO \"t\" VALUES(1);",
            "INSERT INTO \"t\" VALUES\n(1)",
            "INSERT INTO \"t\" VALUES\n(1) ;",
            "INSERT INTO \"t",
            "DELETE FROM \"t\";",
            "",
        ] {
            assert!(Insert::parse(statement.as_bytes()).is_none(), "{statement}");
        }
        let bytes = b"INSERT INTO \"\xff\" VALUES\n(1);";
        assert!(Insert::parse(bytes).is_none());
    }
}
