//! Databases at random: schemas, values, deletions and alterations that nobody thought of. The same database
//! for the same seed, every time.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use base16ct::lower::encode_string as hex;

use crate::Random;

/// A database as the SQL that makes it, so that one that fails can be made smaller by leaving statements out.
#[derive(Debug, Clone)]
pub struct RandomDatabase {
    /// One statement each.
    pub statements: Vec<String>,
}

/// What random databases are to hold.
#[derive(Debug, Clone, Copy)]
pub struct RandomOptions {
    /// How much there is of all.
    pub size: RandomSize,
    /// Schema text may hold CR LF and lines of only `/` or `go`, and end in a line comment.
    pub odd_lines: bool,
}

/// How large random databases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomSize {
    /// A few tables of some rows, made and compared within some milliseconds.
    Small,
    /// Some thousand rows, and at times a value longer than a batch.
    Ordinary,
    /// More rows, and more values longer than a batch.
    Large,
}

/// How SQLite took the statements.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// Statements carried out.
    pub accepted: usize,
    /// Statements refused: not everything that comes by chance makes sense.
    pub refused: usize,
}

impl RandomDatabase {
    /// The database of a seed.
    pub fn new(seed: u64, options: RandomOptions) -> Self {
        let mut maker = Maker {
            random: Random::new(seed),
            options,
            statements: Vec::new(),
            tables: Vec::new(),
            views: Vec::new(),
            names: HashSet::new(),
            long_values: 0,
            marks: true,
        };
        maker.database();
        Self { statements: maker.statements }
    }

    /// Writes it to a path where there is none yet.
    ///
    /// # Errors
    ///
    /// Where there can be no database at all.
    pub fn write(&self, path: &Path) -> Result<Taken> {
        let connection =
            Connection::open(path).with_context(|| format!("creating {}", path.display()))?;
        connection.execute_batch("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF")?;
        let mut taken = Taken::default();
        for statement in &self.statements {
            match connection.execute_batch(statement) {
                Ok(()) => taken.accepted += 1,
                Err(_) => taken.refused += 1,
            }
        }
        Ok(taken)
    }
}

struct Maker {
    random: Random,
    options: RandomOptions,
    statements: Vec<String>,
    tables: Vec<Table>,
    /// Names of views.
    views: Vec<String>,
    /// Names taken, in lower case.
    names: HashSet<String>,
    /// How many more values may be longer than a batch.
    long_values: u64,
    /// Whether long text may begin with a byte order mark. In a REAL column of a table with generated columns no call of
    /// SQLite from 3.43 on reads one.
    marks: bool,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    without_rowid: bool,
}

struct Column {
    name: String,
    /// In STRICT tables, what it may hold.
    class: Option<&'static str>,
    generated: bool,
}

/// What names and texts are put together from.
const PIECES: &[&str] = &[
    "a",
    "b",
    "t",
    "name",
    "select",
    "table",
    "values",
    "null",
    "it's",
    "a\"b",
    "[x]",
    "]",
    "`",
    "--",
    "/*",
    "*/",
    ";",
    "; --",
    "'",
    "''",
    "\"",
    ".quit",
    "%",
    "_",
    "\\r",
    "\\",
    "täble",
    "ß",
    "😀",
    "陳",
    " ",
    "x y",
    "\n",
    "\t",
    "\n.quit\n",
    "\n;\n",
    "1",
    "-1",
    "1e5",
    "0x1",
    "END",
    "COMMIT;",
    "\u{a0}",
    "\u{feff}",
    "\u{2028}",
    "\u{301}",
    "\u{7f}",
    ",",
    ")",
    "(",
    "?1",
    "$a",
    "#",
];

/// What only values hold.
const RETURNS: &[&str] = &["\r", "\r\n", "\\r\r", "\n\r", "\n/\n", "\ngo\n", "\r\n/\r\n"];

const TYPES: &[&str] = &[
    "",
    "",
    "INTEGER",
    "INT",
    "TEXT",
    "REAL",
    "BLOB",
    "NUMERIC",
    "VARCHAR(10)",
    "DOUBLE PRECISION",
    "DECIMAL(10, 2)",
    "BOOLEAN",
    "DATETIME",
    "ANY",
    "\"a type; of ours\"",
    "FLOATING POINT",
    "CHARINT",
];

impl Maker {
    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    fn run(&mut self, statement: String) {
        self.statements.push(statement);
    }

    fn database(&mut self) {
        let encoding = self.random.pick(&["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"]);
        self.run(format!("PRAGMA encoding='{encoding}'"));
        let page = self.random.pick(&[512, 1024, 4096, 4096, 4096, 8192, 65536]);
        self.run(format!("PRAGMA page_size={page}"));
        let vacuum = self.random.pick(&["NONE", "NONE", "FULL", "INCREMENTAL"]);
        self.run(format!("PRAGMA auto_vacuum={vacuum}"));
        let journal = self.random.pick(&["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL"]);
        self.run(format!("PRAGMA journal_mode={journal}"));
        for pragma in ["user_version", "application_id"] {
            if self.one_in(2) {
                let number = self.random.number() as u32 as i32;
                self.run(format!("PRAGMA {pragma}={number}"));
            }
        }
        if self.one_in(3) {
            self.run("PRAGMA ignore_check_constraints=ON".into());
        }
        let (one_in, tables) = match self.options.size {
            RandomSize::Small => (60, 3),
            RandomSize::Ordinary => (6, 8),
            RandomSize::Large => (2, 8),
        };
        if self.one_in(one_in) {
            self.long_values = 1 + self.random.below(3);
        }
        for _ in 0..1 + self.random.below(tables) {
            self.table();
            if self.one_in(3) {
                self.index();
            }
        }
        if self.one_in(4) {
            self.virtual_table();
        }
        for table in 0..self.tables.len() {
            self.rows(table);
        }
        for _ in 0..self.random.below(3) {
            self.delete();
        }
        for _ in 0..self.random.below(3) {
            self.alter();
        }
        for _ in 0..self.random.below(5) {
            self.index();
        }
        for _ in 0..self.random.below(3) {
            self.view();
        }
        if self.one_in(4) {
            self.run("ANALYZE".into());
        }
        for _ in 0..self.random.below(3) {
            self.trigger();
        }
        if self.one_in(8) {
            self.run("VACUUM".into());
        }
    }

    // Names and spacing.

    /// Text put together from pieces, for names and schema text.
    fn schema_piece(&mut self) -> &'static str {
        if self.options.odd_lines && self.one_in(20) {
            self.random.pick(RETURNS)
        } else {
            self.random.pick(PIECES)
        }
    }

    fn words(&mut self) -> String {
        let mut words = String::new();
        for _ in 0..self.random.below(3) {
            words += self.schema_piece();
        }
        words
    }

    /// A name that nothing in the database has.
    fn free_name(&mut self) -> String {
        loop {
            let plain = self.one_in(2);
            let name = if plain {
                format!("t{}", self.random.below(1000))
            } else {
                self.words() + self.schema_piece()
            };
            // SQLite keeps such names for itself.
            let taken = name.to_ascii_lowercase();
            if !taken.starts_with("sqlite_") && self.names.insert(taken) {
                return name;
            }
        }
    }

    /// A name as it may be spelt in SQL.
    fn spelt(&mut self, name: &str) -> String {
        let plain = name.strip_prefix(['t', 'c']).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        match self.random.below(5) {
            0 | 1 if plain => name.to_owned(),
            2 if plain => name.to_ascii_uppercase(),
            3 if !name.contains(']') => format!("[{name}]"),
            4 => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Space between two words.
    fn space(&mut self) -> String {
        match self.random.below(24) {
            0 => "\n".into(),
            1 => "\t ".into(),
            2 => format!(" /* ; {} */ ", self.words().replace("*/", "")),
            3 => format!(" -- ; {}\n", self.words().replace('\n', " ")),
            _ => " ".into(),
        }
    }

    // Schema.

    fn table(&mut self) {
        let name = self.free_name();
        let strict = self.one_in(6);
        let without_rowid = self.one_in(4);
        let rowid_alias = !without_rowid && self.one_in(3);
        let count = match self.random.below(40) {
            0 => 50 + self.random.below(150),
            1 => 300 + self.random.below(400),
            _ => 1 + self.random.below(9),
        } as usize;
        let mut columns = self.columns(count, strict);
        let ordinary: Vec<usize> =
            (0..count).filter(|number| !columns[*number].generated).collect();
        let alias = rowid_alias.then(|| self.random.pick(&ordinary));

        let mut parts = Vec::new();
        for number in 0..count {
            let mut part = self.spelt(&columns[number].name);
            part += &self.space();
            if alias == Some(number) {
                columns[number].class = Some("INTEGER");
                part += "INTEGER PRIMARY KEY";
                part += self.random.pick(&["", "", " ASC", " DESC", " AUTOINCREMENT"]);
            } else {
                part += match columns[number].class {
                    Some(class) => class,
                    // An affinity would change values, and not every version of SQLite alike.
                    None if columns[number].generated => self.random.pick(&["", "BLOB"]),
                    None => self.random.pick(TYPES),
                };
                part += &self.column_constraints(&columns, number);
            }
            parts.push(part);
        }
        if without_rowid || (alias.is_none() && self.one_in(6)) {
            let terms: Vec<String> = (0..1 + self.random.below(3))
                .map(|_| {
                    let column = columns[self.random.pick(&ordinary)].name.clone();
                    self.spelt(&column)
                        + self.random.pick(&["", "", " COLLATE NOCASE", " COLLATE RTRIM"])
                        + self.random.pick(&["", "", " DESC", " ASC"])
                })
                .collect();
            parts.push(format!("PRIMARY KEY{}({})", self.space(), terms.join(", ")));
        }
        if self.one_in(8) {
            let column = columns[self.random.pick(&ordinary)].name.clone();
            let column = self.spelt(&column);
            let words = self.words().replace('\'', "''");
            parts.push(format!("CHECK ({column} IS NOT '{words}')"));
        }
        let sql = self.create_table(&name, &parts, without_rowid, strict);
        self.run(sql);
        self.tables.push(Table { name, columns, without_rowid });
    }

    /// A new table's columns, none of which has constraints yet.
    fn columns(&mut self, count: usize, strict: bool) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        let mut taken = HashSet::new();
        for number in 0..count {
            let mut column = match self.random.below(12) {
                0 => self.random.pick(&["rowid", "oid", "_rowid_", "ROWID"]).to_owned(),
                1..=4 => self.words() + self.schema_piece(),
                _ => format!("c{number}"),
            };
            while !taken.insert(column.to_ascii_lowercase()) {
                column += "_";
            }
            let class = strict.then(|| {
                self.random.pick(&["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY", "ANY"])
            });
            columns.push(Column { name: column, class, generated: false });
        }
        // The last column is never generated: a table needs one that is not.
        for column in &mut columns[..count - 1] {
            column.generated = self.one_in(9);
            if column.generated && strict {
                column.class = Some("ANY");
            }
        }
        columns
    }

    fn create_table(
        &mut self,
        name: &str,
        parts: &[String],
        without_rowid: bool,
        strict: bool,
    ) -> String {
        let mut sql = format!("CREATE{}TABLE{}", self.space(), self.space());
        sql += &self.spelt(name);
        sql += &self.space();
        sql += "(";
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                sql += ",";
                sql += &self.space();
            }
            sql += part;
        }
        sql += &self.space();
        sql += ")";
        sql += match (without_rowid, strict) {
            (true, true) => " WITHOUT ROWID, STRICT",
            (true, false) => " WITHOUT ROWID",
            (false, true) => " STRICT",
            (false, false) => "",
        };
        if self.options.odd_lines && self.one_in(6) {
            sql += &format!(" -- {}", self.words().replace('\n', " "));
        }
        sql
    }

    fn column_constraints(&mut self, columns: &[Column], number: usize) -> String {
        let mut sql = String::new();
        if columns[number].generated {
            // Of other columns, and nothing that another version of SQLite may compute otherwise.
            let others: Vec<&Column> = columns.iter().filter(|column| !column.generated).collect();
            let other = others[self.random.below(others.len() as u64) as usize].name.clone();
            let other = self.spelt(&other);
            let expression = match self.random.below(4) {
                0 => format!("typeof({other})"),
                1 => format!("ifnull({other}, ';')"),
                2 => format!("{other} IS NULL"),
                _ => other,
            };
            sql += self.random.pick(&[" AS (", " GENERATED ALWAYS AS ("]);
            sql += &expression;
            sql += self.random.pick(&[")", ") STORED", ") VIRTUAL"]);
            return sql;
        }
        if self.one_in(6) {
            sql += self.random.pick(&[" COLLATE NOCASE", " COLLATE RTRIM", " COLLATE binary"]);
        }
        if self.one_in(5) {
            sql += &self.space();
            sql += "DEFAULT ";
            sql += &match self.random.below(6) {
                0 => "CURRENT_TIMESTAMP".to_owned(),
                1 => "(1 + (2))".to_owned(),
                2 => "-9223372036854775808".to_owned(),
                3 => "-0.0".to_owned(),
                4 => "x'00ff'".to_owned(),
                _ => format!("'{}'", self.words().replace('\'', "''")),
            };
        }
        if self.one_in(12) {
            sql += self.random.pick(&[
                " NOT NULL",
                " NOT NULL ON CONFLICT IGNORE",
                " CONSTRAINT \"c;\" NOT NULL",
            ]);
        }
        if self.one_in(14) {
            sql += self.random.pick(&[" UNIQUE", " UNIQUE ON CONFLICT REPLACE"]);
        }
        if self.one_in(12) {
            let words = self.words().replace('"', "\"\"");
            sql += &format!(" REFERENCES \"{words}\" ON DELETE CASCADE");
        }
        sql
    }

    /// A table, or none where there are none.
    fn some_table(&mut self) -> Option<usize> {
        let count = self.tables.len() as u64;
        (count > 0).then(|| self.random.below(count) as usize)
    }

    fn some_column(&mut self, table: usize) -> String {
        let count = self.tables[table].columns.len() as u64;
        let column = self.random.below(count) as usize;
        let name = self.tables[table].columns[column].name.clone();
        self.spelt(&name)
    }

    fn some_name(&mut self, table: usize) -> String {
        let name = self.tables[table].name.clone();
        self.spelt(&name)
    }

    fn index(&mut self) {
        let Some(table) = self.some_table() else { return };
        let name = self.free_name();
        let name = self.spelt(&name);
        let mut terms = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let column = self.some_column(table);
            let term = match self.random.below(8) {
                // Nothing that versions of SQLite compute differently: floats as text, text in another encoding.
                0 => format!("CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END"),
                1 => format!("{column} IS NULL"),
                2 => format!("typeof({column}) || ';'"),
                _ => column,
            };
            let collation = self.random.pick(&["", "", "", " COLLATE NOCASE", " COLLATE RTRIM"]);
            let direction = self.random.pick(&["", "", " ASC", " DESC"]);
            terms.push(format!("{term}{collation}{direction}"));
        }
        let unique = if self.one_in(8) { "UNIQUE " } else { "" };
        let on = self.some_name(table);
        let mut sql =
            format!("CREATE {unique}INDEX{}{name} ON {on} ({})", self.space(), terms.join(", "));
        if self.one_in(4) {
            let column = self.some_column(table);
            let words = self.words().replace('\'', "''");
            sql += &format!(" WHERE{}{column} IS NOT '{words}'", self.space());
        }
        if self.options.odd_lines && self.one_in(6) {
            sql += " -- ; the end";
        }
        self.run(sql);
    }

    fn view(&mut self) {
        let Some(table) = self.some_table() else { return };
        let name = self.free_name();
        let from = match self.random.below(6) {
            0 => format!("\"{}\"", self.words().replace('"', "\"\"")),
            1 if !self.views.is_empty() => {
                let view = self.views[0].clone();
                self.spelt(&view)
            }
            _ => self.some_name(table),
        };
        let what = if self.one_in(2) { "*".to_owned() } else { self.some_column(table) };
        let spelt = self.spelt(&name);
        let mut sql = format!("CREATE VIEW{}{spelt} AS{}", self.space(), self.space());
        sql += &format!("SELECT {what} FROM {from}");
        if self.one_in(3) {
            sql += &format!(" WHERE '{}' <> ';'", self.words().replace('\'', "''"));
        }
        if self.one_in(5) {
            sql += " -- 'the end";
        }
        self.run(sql);
        self.views.push(name);
    }

    fn trigger(&mut self) {
        let Some(table) = self.some_table() else { return };
        let name = self.free_name();
        let name = self.spelt(&name);
        let (time, on) = match self.views.first().cloned() {
            Some(view) if self.one_in(3) => ("INSTEAD OF", self.spelt(&view)),
            _ => (self.random.pick(&["BEFORE", "AFTER"]), self.some_name(table)),
        };
        let event = self.random.pick(&["INSERT", "UPDATE", "DELETE"]);
        let target = self.some_name(table);
        let words = self.words().replace('\'', "''");
        let body = match self.random.below(4) {
            0 => format!("SELECT RAISE(ABORT, 'never; {words} END')"),
            1 => format!("DELETE FROM {target}"),
            2 => format!("INSERT INTO {target} DEFAULT VALUES; SELECT 'END;{words}'"),
            _ => format!("SELECT CASE WHEN 1 THEN '{words}' END"),
        };
        let space = self.space();
        self.run(format!("CREATE TRIGGER {name} {time} {event} ON {on}{space}BEGIN {body}; END"));
    }

    fn virtual_table(&mut self) {
        let name = format!("virtual_{}", self.random.below(100));
        let name = if self.one_in(2) { name } else { self.free_name() };
        let name = format!("\"{}\"", name.replace('"', "\"\""));
        match self.random.below(4) {
            0 => {
                self.run(format!("CREATE VIRTUAL TABLE {name} USING rtree(id, x0, x1, +label)"));
                for id in 0..self.random.below(60) {
                    let label = self.text();
                    let at = self.random.below(1000);
                    self.run(format!("INSERT INTO {name} VALUES ({id}, {at}, {at}.5, {label})"));
                }
            }
            module => {
                let module = ["fts5", "fts4", "fts3"][module as usize - 1];
                self.run(format!("CREATE VIRTUAL TABLE {name} USING {module}(a, b)"));
                for _ in 0..self.random.below(20) {
                    let (one, other) = (self.text(), self.text());
                    self.run(format!("INSERT INTO {name} VALUES ({one}, {other})"));
                }
                self.run(format!("DELETE FROM {name} WHERE rowid % 3 = 1"));
            }
        }
    }

    // Rows.

    fn rows(&mut self, table: usize) {
        let count = match self.random.below(8) {
            0 => 0,
            1 | 2 => 1 + self.random.below(4),
            3..=6 => 5 + self.random.below(30),
            _ => 60 + self.random.below(60),
        };
        let wide = self.tables[table].columns.len() > 20;
        for _ in 0..if wide { count / 8 } else { count } {
            self.row(table);
        }
        if !wide && self.one_in(5) {
            self.many_rows(table);
        }
    }

    /// The columns that an insertion gives, spelt, and the values that `value` has for them.
    fn given(
        &mut self,
        table: usize,
        mut value: impl FnMut(&mut Self, Option<&'static str>) -> String,
    ) -> (String, String) {
        let columns: Vec<(String, Option<&'static str>)> = self.tables[table]
            .columns
            .iter()
            .filter(|column| !column.generated)
            .map(|column| (column.name.clone(), column.class))
            .collect();
        self.marks = columns.len() == self.tables[table].columns.len();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, class) in columns {
            names.push(self.spelt(&name));
            values.push(value(self, class));
        }
        if !self.tables[table].without_rowid && self.one_in(4) {
            let rowid = self.random.pick(&["rowid", "_rowid_", "oid"]);
            let taken = self.tables[table]
                .columns
                .iter()
                .any(|column| column.name.eq_ignore_ascii_case(rowid));
            if !taken {
                names.push(rowid.to_owned());
                values.push(value(self, Some("INTEGER")));
            }
        }
        (names.join(","), values.join(","))
    }

    fn row(&mut self, table: usize) {
        let (names, values) = self.given(table, Self::value);
        let into = self.some_name(table);
        self.run(format!("INSERT OR IGNORE INTO {into} ({names}) VALUES ({values})"));
    }

    fn many_rows(&mut self, table: usize) {
        let most = match self.options.size {
            RandomSize::Small => 200,
            RandomSize::Ordinary => 1_500,
            RandomSize::Large => 20_000,
        };
        let count = 100 + self.random.below(most);
        let (names, values) = self.given(table, |maker, class| {
            let any = [
                "i",
                "-i * 7919",
                "i / 3.0",
                "'it''s ' || i",
                "printf('%.*c', i % 50, 'q')",
                "zeroblob(i % 90)",
                "CAST('b' || i AS BLOB)",
                "NULL",
                "i % 7",
                "'a' || char(i % 60000 + 1) || 'b'",
                "CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i / 7.0 WHEN 2 THEN 'k' || i ELSE CAST('b' || i AS BLOB) END",
            ];
            match class {
                Some("INT" | "INTEGER") => maker.random.pick(&["i", "-i * 7919", "i * i"]),
                Some("REAL") => maker.random.pick(&["i / 3.0", "i"]),
                Some("TEXT") => maker.random.pick(&["'it''s ' || i", "char(i % 60000 + 1)"]),
                Some("BLOB") => maker.random.pick(&["zeroblob(i % 90)", "CAST('b' || i AS BLOB)"]),
                _ => maker.random.pick(&any),
            }
            .to_owned()
        });
        let into = self.some_name(table);
        self.run(format!(
            "WITH RECURSIVE \"the numbers\"(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM \"the numbers\" WHERE i < {count}) \
             INSERT OR IGNORE INTO {into} ({names}) SELECT {values} FROM \"the numbers\""
        ));
    }

    /// A value's SQL; `class` is what a STRICT column takes.
    fn value(&mut self, class: Option<&'static str>) -> String {
        if self.one_in(12) {
            return "NULL".into();
        }
        match class {
            Some("INT" | "INTEGER") => self.integer(),
            Some("REAL") => self.real(),
            Some("TEXT") => self.text(),
            Some("BLOB") => self.blob(),
            _ => match self.random.below(4) {
                0 => self.integer(),
                1 => self.real(),
                2 => self.text(),
                _ => self.blob(),
            },
        }
    }

    fn integer(&mut self) -> String {
        let bits = self.random.below(64);
        let edges = [i64::MAX, i64::MIN, 0, -1, 127, 128, -129, 32_768, 1 << 53, (1 << 53) + 1];
        match self.random.below(4) {
            0 => self.random.pick(&edges),
            1 => self.random.below(100) as i64,
            _ => (self.random.number() >> bits) as i64,
        }
        .to_string()
    }

    fn real(&mut self) -> String {
        let edges = [
            "9e999",
            "-9e999",
            "-0.0",
            "0.0",
            "5e-324",
            "9223372036854775808.0",
            "0.1",
            "1e15",
            "-1e22",
        ];
        match self.random.below(4) {
            0 => self.random.pick(&edges).to_owned(),
            1 => format!("{}.{}", self.random.below(10_000), self.random.below(100)),
            2 => format!("{:?}", (self.random.number() >> self.random.below(64)) as f64),
            _ => {
                let any = f64::from_bits(self.random.number());
                if any.is_finite() { format!("{any:e}") } else { "9e999".into() }
            }
        }
    }

    fn text(&mut self) -> String {
        if self.long_values > 0 && self.one_in(40) {
            self.long_values -= 1;
            let unit = self.random.pick(&["é", "plain, ", "''", "😀x", "line\r\n", "aé''ß"]);
            return self.long(unit);
        }
        if self.one_in(12) {
            let length = self.random.below(12) as usize;
            let hex = hex(&self.random.bytes(length));
            return format!("CAST(x'{hex}' AS TEXT)");
        }
        let mut text = String::new();
        for _ in 0..self.random.below(6) {
            text +=
                if self.one_in(12) { self.random.pick(RETURNS) } else { self.random.pick(PIECES) };
        }
        let text = format!("'{}'", text.replace('\'', "''"));
        match self.random.below(30) {
            0 => format!("{text} || char(0) || {text}"),
            1 => format!("char(65534) || {text}"),
            2 => format!("char({}) || {text}", self.random.below(0x11_0000)),
            3 => format!(
                "replace(hex(zeroblob({})), '00', 'ab') || {text}",
                self.random.below(9_000)
            ),
            // A byte order mark, as UTF-16 has it, of either kind; of long text SQLite itself may lose it.
            4 if self.marks => {
                let (mark, length) =
                    (self.random.pick(&[0xfeff, 0xfffe]), self.random.below(9_000));
                format!("char({mark}) || replace(hex(zeroblob({length})), '00', 'ab') || {text}")
            }
            _ => text,
        }
    }

    fn blob(&mut self) -> String {
        if self.long_values > 0 && self.one_in(40) {
            self.long_values -= 1;
            let blob = self.long("b''l\u{1}ob");
            return format!("CAST({blob} AS BLOB)");
        }
        if self.one_in(30) {
            return format!("zeroblob({})", self.random.below(20_000));
        }
        let length = self.random.pick(&[0, 1, 2, 8, 31]);
        format!("x'{}'", hex(&self.random.bytes(length)))
    }

    /// About as long as a batch, or much longer; what comes before shifts where it is cut.
    fn long(&mut self, unit: &str) -> String {
        let most = match self.options.size {
            RandomSize::Small | RandomSize::Ordinary => 300_000,
            RandomSize::Large => 1_500_000,
        };
        let bytes = match self.random.below(3) {
            0 => 262_144 - 40 + self.random.below(80),
            _ => 100_000 + self.random.below(most),
        };
        let before = "x".repeat(self.random.below(9) as usize);
        let times = bytes / unit.replace("''", "'").len() as u64;
        format!("'{before}' || replace(hex(zeroblob({times})), '00', '{unit}')")
    }

    // Changes.

    fn delete(&mut self) {
        let Some(table) = self.some_table() else { return };
        let column = self.some_column(table);
        let name = self.some_name(table);
        let condition = match self.random.below(4) {
            0 => "1".to_owned(),
            1 => format!("typeof({column}) = 'text'"),
            2 => format!("{column} > 5"),
            _ => format!("length({column}) % 2 = 0"),
        };
        self.run(format!("DELETE FROM {name} WHERE {condition}"));
    }

    fn alter(&mut self) {
        let Some(table) = self.some_table() else { return };
        let name = self.some_name(table);
        match self.random.below(4) {
            0 => {
                let column = format!("added{}", self.random.below(100));
                let kind = self.random.pick(TYPES);
                let default = match self.random.below(3) {
                    0 => format!("DEFAULT '{}'", self.words().replace('\'', "''")),
                    // Not -0.0: what older rows then hold, versions of SQLite do not agree on.
                    1 => "DEFAULT 0.25".to_owned(),
                    _ => String::new(),
                };
                self.run(format!("ALTER TABLE {name} ADD COLUMN {column} {kind} {default}"));
            }
            1 => {
                let column = self.some_column(table);
                self.run(format!("ALTER TABLE {name} DROP COLUMN {column}"));
            }
            2 => {
                let column = self.some_column(table);
                let new = self.words().replace('"', "\"\"") + "renamed";
                self.run(format!("ALTER TABLE {name} RENAME COLUMN {column} TO \"{new}\""));
            }
            _ => {
                let new = self.free_name();
                let spelt = format!("\"{}\"", new.replace('"', "\"\""));
                self.run(format!("ALTER TABLE {name} RENAME TO {spelt}"));
                self.tables[table].name = new;
            }
        }
        let name = self.some_name(table);
        self.run(format!("INSERT INTO {name} DEFAULT VALUES"));
    }
}
