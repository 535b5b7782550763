//! Parts of a database: some tables, definitions or rows alone, some rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use crate::support::{
    Program, ServiceCase, assert_sentences, database, export_with, job_options, program,
    saved_parts, sha256,
};
use partway_wasmtime::exporter::Exporter;

const SHOP: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name, city);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user REFERENCES users (id), total);
    CREATE TABLE log_2025 (line); CREATE TABLE log_2026 (line); CREATE TABLE logX (line);
    CREATE TABLE \"log_*\" (a); CREATE TABLE pairs (a, b, PRIMARY KEY (a, b DESC)) WITHOUT ROWID;
    CREATE INDEX by_city ON users (city); CREATE VIEW rich AS SELECT * FROM orders WHERE total > 900;
    CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO log_2026 VALUES (new.id); END;
    CREATE VIRTUAL TABLE words USING fts5(a); INSERT INTO words VALUES ('one'), ('two');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO users SELECT i, printf('user %d', i), iif(i % 3, 'Paris', 'Rome') FROM n;
    DROP TRIGGER t; INSERT INTO orders SELECT id, id % 100 + 1, id FROM users;
    CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO log_2026 VALUES (new.id); END;
    INSERT INTO log_2025 VALUES ('a'); INSERT INTO log_2026 VALUES ('b'); INSERT INTO logX VALUES ('c');
    INSERT INTO \"log_*\" VALUES (1); INSERT INTO pairs SELECT id / 10, id FROM users; ANALYZE;
    DELETE FROM users WHERE id > 900;";

/// A folder with the database `shop.db`.
struct Shop(tempfile::TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        drop(database(&shop.path("shop.db"), SHOP));
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program's dump under these arguments, and what it says.
    fn dump(&self, arguments: &[&str]) -> (String, String) {
        let mut command = Command::new(program());
        let output =
            command.arg("export").arg(self.path("shop.db")).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    }

    /// That dump, restored by the stock program into `into`.
    fn restored(&self, arguments: &[&str], into: &str) -> PathBuf {
        let (dump, _) = self.dump(arguments);
        let into = self.path(into);
        stock(&into, &dump);
        into
    }

    /// What the program says where it refuses these arguments, as wrong usage.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program());
        let output =
            command.arg("export").arg(self.path("shop.db")).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
        assert_sentences(&said);
        said
    }
}

/// What the stock program prints for SQL, all of which it must understand.
#[track_caller]
fn stock(file: &Path, sql: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("sqlite3")
        .arg("-bail")
        .arg(file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The names in a database, in order.
fn names(file: &Path) -> String {
    stock(
        file,
        "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master ORDER BY name);",
    )
}

fn count(file: &Path, table: &str) -> u64 {
    stock(file, &format!("SELECT count(*) FROM {table};")).parse().unwrap()
}

#[test]
fn tables_are_chosen_and_left_out_by_names_and_patterns() {
    let shop = Shop::new();
    let some = shop.restored(&["--table", "log_20??", "--table", "USERS"], "some.db");
    assert_eq!(names(&some), "by_city log_2025 log_2026 sqlite_sequence users");
    assert_eq!(stock(&some, "SELECT seq FROM sqlite_sequence;"), "1000");
    // A name is a name first, and an underscore is no pattern.
    assert_eq!(names(&shop.restored(&["--table", "log_*"], "star.db")), "log_*");
    let both = shop.restored(&["--table", "log*", "--exclude-table", "*X"], "both.db");
    assert_eq!(names(&both), "log_* log_2025 log_2026");
    // Of a virtual table goes what belongs to it, and of others their indexes and triggers.
    let without =
        ["--exclude-table", "words", "--exclude-table", "o*", "--exclude-table", "log?2*"];
    let without = shop.restored(&without, "without.db");
    assert_eq!(names(&without), "by_city logX log_* pairs rich sqlite_sequence users");
    let words = shop.restored(&["--exclude-table", "log*"], "words.db");
    assert_eq!(stock(&words, "SELECT a FROM words WHERE words MATCH 'two';"), "two");
    assert_eq!(stock(&words, "PRAGMA integrity_check;"), "ok");

    for (arguments, expected) in [
        (
            ["--table", "nothing"],
            "table \"nothing\" can't be exported: the database has no such table",
        ),
        (["--table", "x*"], "table \"x*\" can't be exported: the database has no table like it"),
        (["--table", "word?"], "the database has no table like it"),
        (
            ["--exclude-table", "log%"],
            "table \"log%\" can't be left out: the database has no such table",
        ),
        (["--exclude-table", "rich"], "it is a view"),
        (["--exclude-table", "words_data"], "it holds data of a virtual table: leave that one out"),
        (["--table", "-t"], "table \"-t\" can't be exported: the database has no such table"),
        (["--where", "\"a=b\"=x > 5"], "rows of table \"a=b\" can't be chosen"),
        (["--limit", "-1"], "not a number of rows"),
        (["--exclude-table", "*"], "no table is left to export"),
    ] {
        let said = shop.refused(&arguments);
        assert!(said.contains(expected), "{said}");
    }
    let said = shop.refused(&["--table", "orders", "--exclude-table", "o*"]);
    assert!(
        said.contains("no table is left to export: all that were asked for are left out as well")
    );
    for others in [
        &["--table", "orders"][..],
        &["--table", "log_*", "--table", "ORDERS", "--format", "ndjson"],
        &["--exclude-table", "users"],
        &["--table", "orders", "--format", "csv"],
        &["--table", "orders", "--format", "parquet"],
        &["--table", "orders", "--each-table", "--to", "."],
    ] {
        let said = shop.refused(&[others, &["--where", "Users=id > 5"]].concat());
        assert!(
            said.contains("there is a condition for table \"users\", which is not exported")
                || said.contains("there is a condition for table \"Users\", which is not exported"),
            "{said}"
        );
    }
    let (_, said) = shop.dump(&["--exclude-table", "users"]);
    let expected = "warning: table \"orders\" references \"users\", which is not in the same object: its foreign key may not hold";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn definitions_and_rows_come_apart_and_go_together_again() {
    let shop = Shop::new();
    let new = shop.restored(&["--schema-only"], "new.db");
    let all = names(&shop.path("shop.db"));
    assert_eq!(names(&new), all.replace("sqlite_stat1 ", "").replace("sqlite_stat4 ", ""));
    for table in ["users", "orders", "pairs", "words", "sqlite_sequence"] {
        assert_eq!(count(&new, table), 0);
    }
    assert_eq!(
        stock(&new, "INSERT INTO words VALUES ('x'); SELECT a FROM words WHERE words MATCH 'x';"),
        "x"
    );
    let drop_trigger = "DROP TRIGGER t;";
    stock(&new, drop_trigger);
    let (data, said) = shop.dump(&["--data-only"]);
    assert!(!data.contains("CREATE TABLE"), "{data}");
    assert!(said.contains("virtual table \"words\" is left out"), "{said}");
    stock(&new, &data);
    let rows = "SELECT group_concat(quote(id) || quote(name) || quote(city)) FROM users;
        SELECT sum(total * user) FROM orders; SELECT group_concat(a || b) FROM pairs;
        SELECT * FROM sqlite_sequence; SELECT rowid, line FROM log_2026;";
    assert_eq!(stock(&new, rows), stock(&shop.path("shop.db"), rows));

    // For D1 too: its dump loads here as well.
    let d1 = shop.restored(&["--schema-only", "--target", "d1"], "d1.db");
    assert_eq!((count(&d1, "users"), count(&d1, "words")), (0, 0));
    stock(&d1, drop_trigger);
    let (data, _) = shop.dump(&["--data-only", "--target", "d1"]);
    stock(&d1, &data);
    assert_eq!((count(&d1, "users"), count(&d1, "pairs")), (900, 1000));
}

#[test]
fn a_limit_holds_in_every_table_whatever_the_slices() {
    let shop = Shop::new();
    let limited = shop.restored(&["--limit", "7"], "limited.db");
    assert_eq!(stock(&limited, "SELECT max(id), count(*) FROM users;"), "7|7");
    assert_eq!((count(&limited, "pairs"), count(&limited, "log_2025")), (7, 1));
    assert_eq!(stock(&limited, "SELECT max(seq) FROM sqlite_sequence;"), "1000");
    let (_, said) = shop.dump(&["--limit", "7"]);
    assert!(said.contains("references \"users\", of which rows are left out"), "{said}");
    assert_eq!(count(&shop.restored(&["--limit", "0"], "none.db"), "users"), 0);

    // Rows longer than a part and than a batch; limits where a slice ends, before and behind.
    let long = shop.path("long.db");
    drop(database(
        &long,
        "CREATE TABLE t (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO t SELECT randomblob(i % 4 * 3000 + 900 + (i = 20) * 300000) FROM n;",
    ));
    let exporter = Exporter::prebuilt().unwrap();
    for limit in [1, 20, 41] {
        let mut options = job_options(32 * 1024);
        options.settings.push(("limit".into(), limit.to_string()));
        let export = |parts: u32| {
            export_with(&exporter, &long, shop.0.path(), options.clone(), || parts).unwrap()
        };
        let (whole, sliced) = (export(u32::MAX), export(1));
        assert_eq!(sha256(&whole.file), sha256(&sliced.file), "{limit}");
        assert_eq!(sliced.finished.totals.rows, limit.min(40));
    }
}

#[test]
fn rows_are_chosen_by_a_condition() {
    let shop = Shop::new();
    let chosen = [
        "--where",
        "users=city = 'Rome' -- only there",
        "--where",
        "ORDERS=user IN (SELECT id FROM users WHERE city = 'Rome')",
        "--where",
        "pairs=a % 7 = 0 AND b NOT NULL",
    ];
    let restored = shop.restored(&chosen, "chosen.db");
    let source = shop.path("shop.db");
    for (table, condition) in [
        ("users", "city = 'Rome'"),
        ("orders", "user IN (SELECT id FROM users WHERE city = 'Rome')"),
        ("pairs", "a % 7 = 0"),
    ] {
        let all = format!("SELECT * FROM {table} WHERE {condition};");
        assert_eq!(stock(&restored, &format!("SELECT * FROM {table};")), stock(&source, &all));
    }
    assert_eq!(count(&restored, "log_2025"), 1);
    let (dump, said) = shop.dump(&chosen[..2]);
    assert!(
        dump.starts_with("-- partway:begin sql 1\n-- partway:part some rows of table \"users\"\n"),
        "{dump}"
    );
    assert!(
        said.contains("table \"orders\" references \"users\", of which rows are left out"),
        "{said}"
    );

    for (condition, expected) in [
        ("nothing=1", "table \"nothing\" can't be chosen: the database has no such table"),
        ("rich=1", "no such table"),
        ("words=1", "virtual table"),
        ("users=town = 1", "no such column: town"),
        ("users=1) OR (1", "syntax error"),
        ("users=random() > 0", "not authorized to use function: random"),
        ("users=city < date('now')", "not authorized to use function: date"),
        ("users=id = ?", "it has a parameter"),
        ("users=(DELETE FROM users)", "syntax error"),
        ("users", "not a condition"),
    ] {
        let said = shop.refused(&["--where", condition]);
        assert!(said.contains(expected), "{said}");
        let stored = ["--where", condition, "--to", shop.0.path().to_str().unwrap()];
        assert!(shop.refused(&stored).contains(expected));
    }
    let twice = shop.refused(&["--where", "users=1", "--where", "USERS=2"]);
    assert!(twice.contains("has two conditions"), "{twice}");
}

#[test]
fn a_condition_holds_after_kills_and_another_is_another_export() {
    let shop = Shop::new();
    let store = shop.path("store");
    fs::create_dir(&store).unwrap();
    let run = |condition| {
        let program =
            Program::export(&shop.path("shop.db"), store.to_str().unwrap(), shop.0.path());
        program.with([
            "--name",
            "part.sql",
            "--part-size",
            "4KiB",
            "--slice-parts",
            "1",
            "--where",
            condition,
        ])
    };
    let condition = "orders=total % 3 = 0 OR id IN (SELECT id FROM users WHERE city = 'Rome')";
    let (reference, _) = shop.dump(&["--where", condition]);
    let mut last = 0;
    for _ in 0..3 {
        let mut program = run(condition).with(["--pause", "20ms"]);
        let mut child = program.command.spawn().unwrap();
        while saved_parts(shop.0.path()).is_none_or(|parts| parts < last + 2) {
            assert!(child.try_wait().unwrap().is_none(), "it has ended before it was killed");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        last = saved_parts(shop.0.path()).unwrap();
    }
    // Another condition does not go on where this one was.
    let other = run("orders=total % 3 = 1").run();
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(other.status.success() && said.contains("was started with other options"), "{said}");
    let again = run(condition).succeed();
    let object = PathBuf::from(again["location"].as_str().unwrap());
    assert_eq!(fs::read_to_string(object).unwrap(), reference);
}

#[test]
fn an_expression_that_never_ends_is_stopped() {
    let shop = Shop::new();
    let endless = "users=(SELECT count(*) FROM users a, users b, users c, users d) > 0";
    let mut command = Command::new(program());
    command.arg("export").arg(shop.path("shop.db")).args(["--where", endless]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The thread that reads is there once there is something to interrupt.
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let is_reading = || {
        let names = fs::read_dir(&tasks).into_iter().flatten().flatten();
        names.into_iter().any(|task| {
            fs::read_to_string(task.path().join("comm"))
                .is_ok_and(|name| name.contains("partway-reader"))
        })
    };
    while !is_reading() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    crate::support::signal(&child, "-INT");
    let output = child.wait().and_then(|_| child.wait_with_output()).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
}

#[test]
fn a_part_is_known_as_one() {
    let shop = Shop::new();
    let database = shop.path("shop.db");
    for (arguments, part) in [
        (&["--table", "users"][..], "some of its tables"),
        (&["--schema-only"], "the schema only"),
        (&["--data-only", "--exclude-table", "log*"], "the data only, some of its tables"),
        (
            &["--limit", "5", "--where", "orders=1"],
            "at most 5 rows of a table, some rows of table \"orders\"",
        ),
    ] {
        let (dump, _) = shop.dump(arguments);
        assert_eq!(dump.lines().nth(1).unwrap(), format!("-- partway:part {part}"));
        let file = shop.path("part.sql");
        fs::write(&file, &dump).unwrap();
        let alone = Program::verify(file.to_str().unwrap()).run();
        let said = String::from_utf8_lossy(&alone.stderr).into_owned();
        assert!(alone.status.success(), "{said}");
        assert!(said.contains(&format!("it is of a part of a database only: {part}")), "{said}");
        let whole = ["--against", database.to_str().unwrap()];
        let whole = Program::verify(file.to_str().unwrap()).with(whole).run();
        let said = String::from_utf8_lossy(&whole.stderr).into_owned();
        assert_eq!(whole.status.code(), Some(1));
        let expected = format!(
            "is of a part of a database only ({part}): it can't be compared with the whole of"
        );
        assert!(said.contains(&expected), "{said}");
        // Cut off, it is no part but damaged.
        fs::write(&file, &dump[..dump.len() - 40]).unwrap();
        assert!(!Program::verify(file.to_str().unwrap()).run().status.success());
    }
    // All of it, and nothing more is said.
    assert!(!shop.dump(&[]).0.contains("partway:part"));
}

#[test]
fn parts_are_asked_for_over_http_but_conditions_are_not() {
    let case = ServiceCase::new(1);
    let server = case.serve([]);
    let tables = |query: &str| {
        let answer = server.get(&format!("/export/dump?{query}"));
        assert_eq!(answer.status, 200);
        let file = case.folder.path().join(format!("{}.db", query.len()));
        stock(&file, &String::from_utf8(answer.body).unwrap());
        Connection::open(file).unwrap()
    };
    let all: u64 = tables("content=schema")
        .query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |row| row.get(0))
        .unwrap();
    let some: u64 = tables("content=schema&excludeTable=*e*")
        .query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |row| row.get(0))
        .unwrap();
    assert!(some < all && all > 2, "{some} of {all}");
    let refused = server.get("/export/dump?where=t%3D1");
    assert!(refused.error(400).contains("unknown parameter"));
    assert!(server.get("/export/dump?content=all").error(400).contains("use schema or data"));
    assert!(
        server.get("/export/dump?excludeTable=nothing*").error(400).contains("no table like it")
    );
}
