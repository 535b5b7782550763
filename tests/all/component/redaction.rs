//! `--redact`: what the policy says, in the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Instant;

use partway_prebuilt::EXPORTER;
use partway_testbed::{Shape, restore};
use rusqlite::Connection;

use crate::support::{Program, assert_sentences, jobs, program, signal, turn, wait_for_parts};

const KEY: &str = "a key of enough bytes for hashes";

/// A database with personal data in columns, constraints, indexes, views, triggers, an index of words and statistics.
const SHOP: &str = "
    CREATE TABLE users(
        id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT DEFAULT 'Ada Lovelace',
        ssn TEXT CHECK (ssn <> '078-05-1120'), born INT, note, -- ask Ada
        initial AS (substr(name, 1, 1)));
    CREATE TABLE orders(
        id INTEGER PRIMARY KEY, email TEXT REFERENCES users(email), country TEXT, total REAL,
        FOREIGN KEY (country) REFERENCES countries(code));
    CREATE TABLE countries(code TEXT PRIMARY KEY, name) WITHOUT ROWID;
    CREATE TABLE sessions(token TEXT PRIMARY KEY, user INT REFERENCES users(id));
    CREATE VIRTUAL TABLE words USING fts5(name, note);
    CREATE INDEX by_born ON users(born);
    CREATE INDEX by_ada ON users(id) WHERE name = 'Ada Lovelace';
    CREATE VIEW adults AS SELECT email, ssn FROM users WHERE born < 2008;
    CREATE VIEW everyone AS SELECT * FROM adults;
    CREATE TRIGGER spread AFTER INSERT ON users BEGIN INSERT INTO words VALUES (new.name, new.note); END;
    INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France');
    INSERT INTO users VALUES (1, 'ada@example.com', 'Ada Lovelace', '078-05-1121', 1815, 'met in London'),
        (2, 'bob@example.com', 'Bob', '078-05-1122', 1990, NULL);
    INSERT INTO orders VALUES (1, 'ada@example.com', 'DE', 1.5), (2, 'bob@example.com', 'FR', 2.5),
        (3, 'ada@example.com', 'DE', 3.5);
    INSERT INTO sessions VALUES ('secret-session-token', 1);
    ANALYZE;";

const POLICY: &str = "
    dependents = 'leave-out'
    key_file = 'hash.key'
    keep = ['countries']
    leave_out = ['sessions', 'words']
    [tables.users.columns]
    id = 'keep'
    email = 'hash'
    name = 'mask'
    ssn = 'drop'
    born = { value = 1900 }
    note = 'null'
    initial = 'drop'
    [tables.orders]
    columns = { id = 'keep', email = 'hash', country = 'keep', total = 'keep' }
    rows = { column = 'country', is = '=', value = 'DE' }";

/// A folder with a database, a policy and a key.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(sql: &str, policy: &str) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap() };
        Connection::open(case.path("shop.db")).unwrap().execute_batch(sql).unwrap();
        fs::write(case.path("policy.toml"), policy).unwrap();
        fs::write(case.path("hash.key"), format!("{KEY}\n")).unwrap();
        fs::create_dir(case.path("store")).unwrap();
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An export of the database to the store, by the policy.
    fn export(&self) -> Program {
        let store = self.path("store");
        let policy = self.path("policy.toml");
        Program::export(&self.path("shop.db"), store.to_str().unwrap(), self.folder.path()).with([
            "--redact",
            policy.to_str().unwrap(),
            "--name",
            "shop.sql",
        ])
    }

    /// To standard output, with arguments.
    fn streamed(&self, arguments: &[&str]) -> Output {
        let mut command = std::process::Command::new(program());
        command.arg("export").arg("shop.db").args(arguments).current_dir(self.folder.path());
        command.output().unwrap()
    }

    fn restored(&self) -> Connection {
        let file = self.path("restored.db");
        restore(&self.path("store/shop.sql"), &file).unwrap();
        Connection::open(file).unwrap()
    }
}

fn texts(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_dump_has_what_the_policy_lets_out_and_no_more() {
    let case = Case::new(SHOP, POLICY);
    let summary = case.export().succeed();
    assert_eq!(summary["rows"], 6, "{summary}");
    let dump = fs::read_to_string(case.path("store/shop.sql")).unwrap();
    let secrets = [
        "Ada ",
        "ada@",
        "'Bob",
        "bob@",
        "078-",
        "ssn",
        ",1815,",
        ",1990,",
        "London",
        "session",
        "token",
        "words",
        "adults",
        "everyone",
        "spread",
        "FR',2",
        "sqlite_stat",
    ];
    for secret in secrets {
        assert!(!dump.contains(secret), "{secret} is in the dump:\n{dump}");
    }
    let restored = case.restored();
    assert_eq!(
        texts(&restored, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY 1"),
        ["by_born", "countries", "orders", "users"]
    );
    // Hashes still join, and are those that other programs make.
    let joined =
        "SELECT u.id || ' ' || count(*) FROM users u JOIN orders o USING (email) GROUP BY u.id";
    assert_eq!(texts(&restored, joined), ["1 2"]);
    let users = "SELECT id || name || born || coalesce(note, ' NULL') FROM users ORDER BY id";
    assert_eq!(texts(&restored, users), ["1***1900 NULL", "2***1900 NULL"]);
    assert_eq!(
        texts(&restored, "SELECT email FROM users WHERE id = 1"),
        ["652ebad2e3dce3bfca70c4992946a121faa489cda199023cd4d9c35200eae476"]
    );
    assert_eq!(texts(&restored, "SELECT name FROM sqlite_sequence"), ["users"]);
    assert_eq!(texts(&restored, "PRAGMA foreign_key_check").len(), 0);
    // The component that was made for it contains the key.
    let left = fs::read_dir(case.path("state")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".wasm")), "{left:?}");
}

#[test]
fn one_component_with_the_policy_inside_does_the_same_in_any_host() {
    let case = Case::new(SHOP, POLICY);
    let summary = case.export().succeed();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program());
        command.args(arguments).current_dir(case.folder.path()).output().unwrap()
    };
    let made = run(&["redact-component", "policy.toml", "-o", "redacting.wasm"]);
    assert!(made.status.success(), "{made:?}");
    let streamed = case.streamed(&["--component", "redacting.wasm"]);
    assert!(streamed.status.success(), "{streamed:?}");
    let dump = fs::read(case.path("store/shop.sql")).unwrap();
    assert_eq!(streamed.stdout, dump, "{summary}");
    assert_eq!(case.streamed(&["--redact", "policy.toml"]).stdout, dump);
    // A component that is named is not linked with the redactor, but composed with it.
    fs::write(case.path("exporter.wasm"), EXPORTER).unwrap();
    let named = ["--redact", "policy.toml", "--component", "exporter.wasm"];
    assert_eq!(case.streamed(&named).stdout, dump);
    // The key is inside: only its owner may read it, and it is not put over another file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(case.path("redacting.wasm")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = run(&["redact-component", "policy.toml", "-o", "redacting.wasm"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
}

#[test]
fn a_policy_that_does_not_fit_exports_nothing() {
    let changed = |from: &str, to: &str| POLICY.replacen(from, to, 1);
    for (policy, said) in [
        (changed("ssn = 'drop'", ""), "says nothing of column \"ssn\""),
        (changed("ssn = 'drop'", "ssm = 'drop'"), "column \"ssm\""),
        (changed("['countries']", "['contries']"), "table \"contries\""),
        (changed("keep = ['countries']", ""), "says nothing of table \"countries\""),
        (changed("'sessions', ", ""), "says nothing of table \"sessions\""),
        (changed("'words'", "'wrods'"), "\"wrods\""),
        (changed("dependents = 'leave-out'", ""), "view \"adults\""),
        (changed("total = 'keep'", "total = 'hash'"), "floats"),
        (changed("key_file = 'hash.key'", ""), "no key"),
        (changed("hash.key", "no.key"), "no.key"),
        (changed("'mask'", "'maks'"), "maks"),
        (
            changed("[tables.orders]", "[tables.countries]\ncolumns = {}\n[tables.orders]"),
            "more than once",
        ),
        (format!("{}\n[tables.words]", changed(", 'words'", "")), "virtual table"),
    ] {
        let case = Case::new(SHOP, &policy);
        let output = case.export().run();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{policy}\n{printed}");
        assert!(printed.contains(said), "{said} is not in: {printed}");
        assert_sentences(&printed);
        assert_eq!(fs::read_dir(case.path("store")).unwrap().count(), 0, "{policy}");
        // No job stays that would export something else later.
        assert!(jobs(case.folder.path()).is_empty(), "{policy}");
        let streamed = case.streamed(&["--redact", "policy.toml"]);
        assert_eq!((streamed.status.code(), streamed.stdout.len()), (Some(2), 0), "{policy}");
    }
}

#[test]
fn a_new_column_stops_exports_until_the_policy_names_it() {
    let case = Case::new(SHOP, POLICY);
    case.export().succeed();
    let database = Connection::open(case.path("shop.db")).unwrap();
    database.execute_batch("ALTER TABLE users ADD COLUMN phone TEXT DEFAULT '555-0100'").unwrap();
    let output = case.export().run();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("says nothing of column \"phone\""), "{printed}");
    let policy = POLICY.replacen("id = 'keep'", "id = 'keep'\nphone = 'mask'", 1);
    fs::write(case.path("policy.toml"), policy).unwrap();
    let summary = case.export().succeed();
    let dump = fs::read_to_string(summary["location"].as_str().unwrap()).unwrap();
    assert!(dump.contains("phone") && !dump.contains("555"), "{dump}");
}

#[test]
fn an_empty_policy_changes_no_byte() {
    let case = Case::new(SHOP, "unlisted = 'keep'");
    let plain = case.streamed(&[]);
    assert!(plain.status.success() && !plain.stdout.is_empty());
    assert_eq!(case.streamed(&["--redact", "policy.toml"]).stdout, plain.stdout);
    // A policy that names everything, too.
    let policy = "keep = ['orders', 'countries', 'sessions', 'words']\n[tables.users.columns]\nid='keep'\nemail='keep'\n\
                  name='keep'\nssn='keep'\nborn='keep'\nnote='keep'\ninitial='keep'";
    fs::write(case.path("policy.toml"), policy).unwrap();
    assert_eq!(case.streamed(&["--redact", "policy.toml"]).stdout, plain.stdout);
}

#[test]
fn a_warning_says_that_rowids_are_kept_back_with_their_key() {
    let case = Case::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (9, 8);",
        "[tables.t.columns]\nid = 'mask'\na = 'keep'",
    );
    let output = case.streamed(&["--redact", "policy.toml"]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("table \"t\" comes without its rowids"), "{printed}");
}

/// Rows enough for some parts.
const MANY: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, secret TEXT, kept TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO t SELECT i, printf('secret-%010d', i), printf('kept-%010d', i) FROM n;";

#[test]
fn an_interrupted_export_resumes_under_the_same_policy_and_starts_over_under_another() {
    let policy = |rule: &str| {
        format!(
            "key_file = 'hash.key'\n[tables.t.columns]\nid = 'keep'\nkept = 'keep'\nsecret = '{rule}'"
        )
    };
    let case = Case::new(MANY, &policy("hash"));
    let whole = case.streamed(&["--redact", "policy.toml"]).stdout;
    let slowly = ["--part-size", "4KiB", "--slice-parts", "2", "--pause", "20ms"];
    let interrupted = || {
        let mut program = case.export().with(slowly);
        let mut child = program.command.spawn().unwrap();
        wait_for_parts(case.folder.path(), 6);
        signal(&child, "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
    };
    interrupted();
    let summary = case.export().with(["--part-size", "4KiB"]).succeed();
    assert!(summary["slices"].as_u64().unwrap() > 1, "{summary}");
    assert_eq!(fs::read(summary["location"].as_str().unwrap()).unwrap(), whole);

    fs::remove_file(case.path("store/shop.sql")).unwrap();
    interrupted();
    fs::write(case.path("policy.toml"), policy("mask")).unwrap();
    let output = case.export().with(["--part-size", "4KiB"]).run();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("starting over"), "{printed}");
    let dump = fs::read(case.path("store/shop.sql")).unwrap();
    assert_eq!(dump, case.streamed(&["--redact", "policy.toml"]).stdout);
    assert_ne!(dump, whole);
}

/// The policy that a shop would have: a handful of columns, in the tables of people.
const REAL_POLICY: &str = "
    unlisted = 'keep'
    dependents = 'leave-out'
    key_file = 'hash.key'
    [tables.customers.columns]
    name = 'hash'
    email = 'hash'
    note = 'mask'
    [tables.'page views'.columns]
    customer_id = 'hash'";

#[test]
fn redaction_does_not_multiply_the_time() {
    let _turn = turn();
    let case = Case::new("CREATE TABLE t(a)", REAL_POLICY);
    let database = case.path("real.db");
    Shape::Real.write(&database, 48).unwrap();
    let seconds = |arguments: &[&str]| {
        let began = Instant::now();
        let mut command = std::process::Command::new(program());
        command.arg("export").arg(&database).args(arguments).current_dir(case.folder.path());
        let output = command.stdout(fs::File::create(null()).unwrap()).status().unwrap();
        assert!(output.success());
        began.elapsed().as_secs_f64()
    };
    let component = ["--component", "redacting.wasm"];
    let mut command = std::process::Command::new(program());
    command.args(["redact-component", "policy.toml", "-o", "redacting.wasm"]);
    assert!(command.current_dir(case.folder.path()).status().unwrap().success());
    // It is compiled once, and then found in the cache.
    seconds(&component);
    let mut ratios: Vec<f64> = (0..7)
        .map(|_| {
            let plain = seconds(&[]);
            seconds(&component) / plain
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("with a policy, the export takes {:.2} times as long: {ratios:.2?}", ratios[3]);
    // Most of it are hashes. On a machine that does other things too, the ratio itself is no promise.
    assert!(ratios[3] < 3.0, "{ratios:.2?}");
}

fn null() -> &'static Path {
    Path::new("/dev/null")
}
