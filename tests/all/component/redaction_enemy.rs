//! What a policy keeps back is nowhere in the object, in no spelling: random policies over random databases, in which
//! every value is recognizable, and whose schemas name some of them. And the object is the same, whether the redactor is
//! linked with the exporter or composed with it.
//!
//! `PARTWAY_SEED=… cargo test -p partway-tests --test all nothing_that_is_kept_back` runs the one of that seed alone.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use partway_redact::{
    Comparison, Dependents, Literal, Policy, RowFilter, Rule, TablePolicy, Unlisted,
};
use partway_sqlite::Snapshot;
use partway_testbed::{Random, RandomDatabase, RandomOptions, RandomSize, restore};
use rusqlite::Connection;

use super::marks::{Haystack, Mark};
use super::redactor_host::RedactorHost;
use crate::support::turn;

#[test]
fn nothing_that_is_kept_back_is_in_the_object() {
    search_under(25);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_that_hundreds_of_policies_keep_back_is_in_the_object() {
    search_under(200);
}

/// Searches the dumps of random databases under so many random policies.
fn search_under(policies: u64) {
    let _turn = turn();
    let only = std::env::var("PARTWAY_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let first = only.unwrap_or(0);
    let wanted = if only.is_some() { 1 } else { policies };
    let (next, done) = (AtomicU64::new(first), AtomicU64::new(0));
    let all = Mutex::new(Tally::default());
    let hosts = [RedactorHost::linked(), RedactorHost::composed()];
    let worker = || {
        while done.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if only.is_some() && seed > first {
                return;
            }
            assert!(seed < first + 3 * policies, "too many policies are refused");
            let folder = tempfile::tempdir().unwrap();
            let tally = Trial::new(seed, folder.path()).run(&hosts);
            done.fetch_add(tally.dumps, Ordering::Relaxed);
            all.lock().unwrap().add(&tally);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    let all = all.into_inner().unwrap();
    println!("{all:?}");
    // It finds what is there.
    assert!(only.is_some() || all.kept > 5 * policies && all.secrets > 5 * policies, "{all:?}");
    assert!(all.found * 10 > all.kept * 9, "{all:?}");
}

#[derive(Debug, Default)]
struct Tally {
    /// Dumps that were searched.
    dumps: u64,
    /// Policies that were refused.
    refused: u64,
    /// Values that are kept back.
    secrets: u64,
    /// Values that are kept.
    kept: u64,
    /// Of which in the object.
    found: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.dumps += other.dumps;
        self.refused += other.refused;
        self.secrets += other.secrets;
        self.kept += other.kept;
        self.found += other.found;
    }
}

/// One database and policy.
struct Trial<'a> {
    seed: u64,
    random: Random,
    folder: &'a Path,
    connection: Connection,
    tables: Vec<Table>,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    /// The marks of each row, one for each column.
    rows: Vec<Vec<Mark>>,
}

struct Column {
    name: String,
    declared_type: String,
    /// In the key of a WITHOUT ROWID table.
    in_key: bool,
}

impl<'a> Trial<'a> {
    fn new(seed: u64, folder: &'a Path) -> Self {
        let options = RandomOptions { size: RandomSize::Small, odd_lines: true };
        let file = folder.join("original.db");
        RandomDatabase::new(seed, options).write(&file).unwrap();
        let connection = Connection::open(&file).unwrap();
        connection
            .execute_batch("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON")
            .unwrap();
        let random = Random::new(seed ^ 0x5eed);
        Self { seed, random, folder, connection, tables: Vec::new() }
    }

    fn text(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjkmnpqrstvwxyzBCDFGHJKMNPQRSTVWXYZ23456789";
        (0..20).map(|_| self.random.pick(LETTERS) as char).collect()
    }

    fn mark(&mut self, declared_type: &str) -> Mark {
        let upper = declared_type.to_ascii_uppercase();
        let kind = self.random.below(4);
        if upper.contains("INT") || kind == 0 && !upper.contains("TEXT") && upper != "BLOB" {
            // So many digits, that 12 of them are no chance.
            Mark::Integer((self.random.number() >> 1) as i64 | 1 << 61)
        } else if upper.contains("BLOB") || kind == 1 && upper.is_empty() {
            Mark::Blob(self.random.bytes(24))
        } else {
            Mark::Text(self.text())
        }
    }

    /// A table whose schema names values of its own rows, with all that may name it.
    fn plant(&mut self) {
        let [a, b, c, d] = [(); 4].map(|()| self.text());
        let sql = format!(
            "CREATE TABLE planted(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT DEFAULT '{a}', -- {a}
                b TEXT CHECK (b <> '{b}') REFERENCES lookup(code), c TEXT COLLATE NOCASE DEFAULT \"{c}\", d,
                g AS (a || '{a}' || b), UNIQUE (a, b), CHECK (c IS NOT '{c}' /* {c} */));
            CREATE TABLE lookup(code TEXT PRIMARY KEY, planted INT REFERENCES planted(id), name TEXT DEFAULT 'none')
                WITHOUT ROWID;
            CREATE INDEX planted_a ON planted(a) WHERE b = '{b}';
            CREATE INDEX planted_b ON planted(b, c /* {b} */);
            CREATE INDEX planted_c ON planted(c || '{c}');
            CREATE INDEX planted_d ON planted(d);
            CREATE VIEW planted_view AS SELECT a, b FROM planted WHERE c = '{c}' -- {d}
            ;
            CREATE VIEW planted_views AS SELECT a, '{a}' FROM planted_view;
            CREATE TRIGGER planted_trigger AFTER UPDATE OF a ON planted BEGIN
                UPDATE lookup SET name = '{a}' WHERE code = new.b; END;
            CREATE TRIGGER planted_far AFTER DELETE ON lookup BEGIN DELETE FROM planted WHERE b = '{b}'; END;
            CREATE VIRTUAL TABLE planted_words USING fts5(a, b, content='planted', content_rowid='id');
            CREATE VIRTUAL TABLE planted_copies USING fts4(a, d);"
        );
        self.connection.execute_batch(&sql).unwrap();
        let named = [a, b, c, d].map(Mark::Text);
        let more: Vec<Mark> = (0..3).map(|_| Mark::Text(self.text())).collect();
        for (index, mark) in more.into_iter().enumerate() {
            let id = Mark::Integer(1 << 61 | self.random.number() as i64 & 0xffff_ffff_ffff);
            let row = [vec![id], named.to_vec()].concat();
            // The first row has what the schema names.
            let row = if index == 0 {
                row
            } else {
                let mut row: Vec<Mark> = row[..1].to_vec();
                row.extend((0..4).map(|_| Mark::Text(self.text())));
                row[4] = mark;
                row
            };
            let values = row.iter().map(Mark::value);
            self.connection
                .execute(
                    "INSERT INTO planted VALUES (?, ?, ?, ?, ?)",
                    rusqlite::params_from_iter(values),
                )
                .unwrap();
            let copy = [row[1].value(), row[4].value()];
            let words = "INSERT INTO planted_copies VALUES (?, ?)";
            self.connection.execute(words, rusqlite::params_from_iter(copy)).unwrap();
            self.planted_rows().push(row);
        }
        self.connection
            .execute_batch("INSERT INTO planted_words(planted_words) VALUES ('rebuild')")
            .unwrap();
    }

    fn planted_rows(&mut self) -> &mut Vec<Vec<Mark>> {
        let column = |(name, declared): (&str, &str)| Column {
            name: name.into(),
            declared_type: declared.into(),
            in_key: false,
        };
        if !self.tables.iter().any(|table| table.name == "planted") {
            let columns =
                [("id", "INTEGER"), ("a", "TEXT"), ("b", "TEXT"), ("c", "TEXT"), ("d", "")]
                    .map(column);
            self.tables.push(Table {
                name: "planted".into(),
                columns: columns.into(),
                rows: vec![],
            });
        }
        let table = self.tables.iter_mut().find(|table| table.name == "planted");
        &mut table.unwrap().rows
    }

    /// Puts marked rows into every table that takes them.
    fn fill(&mut self) {
        let names = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'planted'";
        let names: Vec<String> = self.strings(names);
        // Other tables' triggers would copy them.
        self.connection
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
            .unwrap();
        for name in names {
            let mut columns = Vec::new();
            let mut statement = self
                .connection
                .prepare("SELECT c.name, c.type, c.pk > 0 AND t.wr FROM pragma_table_list t, pragma_table_xinfo(t.name) c WHERE t.schema = 'main' AND t.name = ? AND c.hidden = 0")
                .unwrap();
            let mut rows = statement.query([&name]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                columns.push(Column {
                    name: row.get(0).unwrap(),
                    declared_type: row.get(1).unwrap(),
                    in_key: row.get(2).unwrap(),
                });
            }
            drop(rows);
            drop(statement);
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let list: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
            let insert = format!(
                "INSERT INTO {}({}) VALUES ({})",
                quoted(&name),
                list.join(","),
                vec!["?"; columns.len()].join(",")
            );
            let mut table = Table { name, columns, rows: vec![] };
            for _ in 0..6 {
                let types: Vec<_> =
                    table.columns.iter().map(|column| column.declared_type.clone()).collect();
                let row: Vec<Mark> = types.iter().map(|declared| self.mark(declared)).collect();
                let values = row.iter().map(Mark::value);
                if self.connection.execute(&insert, rusqlite::params_from_iter(values)).is_ok() {
                    table.rows.push(row);
                }
            }
            self.tables.push(table);
        }
        self.connection.execute_batch("ANALYZE").ok();
    }

    fn strings(&self, query: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// A policy at random.
    fn policy(&mut self) -> Policy {
        let mut policy = Policy {
            unlisted: Unlisted::Keep,
            dependents: if self.random.below(12) == 0 {
                Dependents::Refuse
            } else {
                Dependents::LeaveOut
            },
            key: Some(self.text()),
            ..Policy::default()
        };
        let virtual_tables =
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'";
        policy.leave_out = self.strings(virtual_tables);
        for table in 0..self.tables.len() {
            let name = self.tables[table].name.clone();
            match self.random.below(6) {
                0 => policy.leave_out.push(name),
                1 => policy.keep.push(name),
                _ => {
                    let rules = self.rules(table);
                    policy.tables.insert(name, rules);
                }
            }
        }
        policy
    }

    fn rules(&mut self, table: usize) -> TablePolicy {
        let mut policy = TablePolicy::default();
        for column in 0..self.tables[table].columns.len() {
            let rule = match self.random.below(9) {
                0 => Rule::Mask,
                1 => Rule::Value(Literal::Integer(7)),
                2 => Rule::Null,
                3 | 4 => Rule::Drop,
                5 => Rule::Hash,
                _ => Rule::Keep,
            };
            let column = &self.tables[table].columns[column];
            let upper = column.declared_type.to_ascii_uppercase();
            let is_real = ["REAL", "FLOA", "DOUB"].iter().any(|name| upper.contains(name));
            let rule = match rule {
                Rule::Hash if is_real && !column.in_key => Rule::Drop,
                Rule::Keep | Rule::Hash => rule,
                // Others are refused there.
                _ if column.in_key => Rule::Keep,
                _ => rule,
            };
            policy.columns.insert(column.name.clone(), rule);
        }
        let rows = self.tables[table].rows.len() as u64;
        if rows > 0 && self.random.below(3) == 0 {
            let (row, column) =
                (self.random.below(rows), self.random.below(policy.columns.len() as u64));
            let table = &self.tables[table];
            let value = match &table.rows[row as usize][column as usize] {
                Mark::Text(text) => Literal::Text(text.clone()),
                Mark::Integer(number) => Literal::Integer(*number),
                Mark::Blob(_) => return policy,
            };
            let column = table.columns[column as usize].name.clone();
            policy.rows = Some(RowFilter { column, is: Comparison::Equal, value });
        }
        policy
    }

    /// The marks that a policy keeps back, and those that it lets out.
    fn split(&self, policy: &Policy) -> (Vec<Mark>, Vec<Mark>) {
        let (mut secrets, mut kept) = (Vec::new(), Vec::new());
        for table in &self.tables {
            let rules = policy.tables.get(&table.name);
            let is_left_out = policy.leave_out.contains(&table.name);
            for row in &table.rows {
                let is_filtered =
                    rules.and_then(|rules| rules.rows.as_ref()).is_some_and(|filter| {
                        let at =
                            table.columns.iter().position(|column| column.name == filter.column);
                        match (&row[at.unwrap()], &filter.value) {
                            (Mark::Text(mark), Literal::Text(value)) => mark != value,
                            (Mark::Integer(mark), Literal::Integer(value)) => mark != value,
                            _ => true,
                        }
                    });
                for (column, mark) in table.columns.iter().zip(row) {
                    let rule = rules.map_or(&Rule::Keep, |rules| &rules.columns[&column.name]);
                    if is_left_out || is_filtered || *rule != Rule::Keep {
                        secrets.push(mark.clone());
                    } else {
                        kept.push(mark.clone());
                    }
                }
            }
        }
        (secrets, kept)
    }

    fn run(mut self, hosts: &[RedactorHost; 2]) -> Tally {
        self.plant();
        self.fill();
        let policy = self.policy();
        let (secrets, kept) = self.split(&policy);
        let seed = self.seed;
        let file = self.folder.join("original.db");
        let snapshot = Snapshot::hold(&file).unwrap();
        let json = policy.to_json().unwrap();
        let [linked, composed] = hosts.each_ref().map(|host| {
            let parts = 1 + self.random.below(5) as u32;
            host.export(&snapshot, &json, parts).map_err(|error| format!("{error:?}"))
        });
        assert!(linked == composed, "seed {seed}: {policy:?}");
        let object = match linked {
            Ok(object) => object,
            Err(text) => {
                assert!(text.contains("redaction: "), "seed {seed}: {text}");
                if std::env::var_os("PARTWAY_SEED").is_some() {
                    println!("{text}");
                }
                return Tally { refused: 1, ..Tally::default() };
            }
        };
        let dump = self.folder.join("dump.sql");
        fs::write(&dump, &object).unwrap();
        let haystack = Haystack::new(&object);
        for mark in &secrets {
            if let Some(form) = haystack.finds(mark) {
                let keep = std::env::temp_dir().join(format!("redaction-{seed}.sql"));
                fs::copy(&dump, &keep).unwrap();
                panic!(
                    "seed {seed}: {:?} is in {} under {policy:?}",
                    String::from_utf8_lossy(&form),
                    keep.display()
                );
            }
        }
        let found = kept.iter().filter(|mark| haystack.finds(mark).is_some()).count() as u64;
        let restored = self.folder.join("restored.db");
        if let Err(error) = restore(&dump, &restored) {
            panic!("seed {seed}: {error:#} under {policy:?}");
        }
        let restored = Connection::open(&restored).unwrap();
        let check: String = restored.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert!(
            check == "ok" || check.contains("CHECK") || check.contains("NULL value"),
            "seed {seed}: {check}"
        );
        Tally {
            dumps: 1,
            refused: 0,
            secrets: secrets.len() as u64,
            kept: kept.len() as u64,
            found,
        }
    }
}
