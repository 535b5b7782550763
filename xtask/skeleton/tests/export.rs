//! The component in a real host, over a real database: the program `partway`, and what the `sqlite3` program made.
//!
//! `PARTWAY` names the program if it is not in the PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[allow(dead_code, reason = "the example has a main")]
#[path = "../examples/component.rs"]
mod component;

/// Small and hard: quotes, line breaks, NULL, the ends of integers, floats, blobs, no rows, an odd name, a key of its own.
const HARD: &str = r#"
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, height REAL, photo BLOB);
    INSERT INTO people VALUES (1, 'Ada "the first"', 1.65, x'00ff'), (9223372036854775807, '', 1e300, NULL),
      (-9223372036854775808, 'two' || char(10) || 'lines', 9e999, x'');
    CREATE TABLE nobody (a);
    CREATE TABLE "odd, name" (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    INSERT INTO "odd, name" VALUES ('b', 2), ('a', 1.5);
    CREATE VIEW tall AS SELECT * FROM people WHERE height > 1.8;
"#;

const HARD_AS_CSV: &str = r#""people","id","name","height","photo"
"people",-9223372036854775808,"two
lines",inf,x''
"people",1,"Ada ""the first""",1.65,x'00ff'
"people",9223372036854775807,"",1e300,
"nobody","a"
"odd, name","k","v"
"odd, name","a",1.5
"odd, name","b",2
"#;

/// Rows of every length, for several hundred KB of CSV; some are longer than the smallest part.
const MANY: &str = "
    CREATE TABLE many (id INTEGER PRIMARY KEY, a, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO many SELECT i * 7, printf('%.*c', i % 100, 'x'), i / 3.0 FROM n;
    UPDATE many SET a = hex(zeroblob(5000)) WHERE id % 700 = 0;
    CREATE TABLE more AS SELECT b, a FROM many WHERE id % 3 = 0;
";

fn database(folder: &Path, sql: &str) -> PathBuf {
    let path = folder.join("test.db");
    let _ = fs::remove_file(&path);
    let made = Command::new("sqlite3")
        .arg(&path)
        .arg(sql)
        .status()
        .expect("the program sqlite3 is installed");
    assert!(made.success());
    path
}

/// `partway export`; the object's bytes.
fn export(database: &Path, component: &Path, arguments: &[&str]) -> Vec<u8> {
    let folder = database.parent().unwrap();
    let (state, store) = (folder.join("state"), folder.join("store"));
    let _ = fs::remove_dir_all(&store);
    fs::create_dir(&store).unwrap();
    let program = std::env::var_os("PARTWAY").unwrap_or("partway".into());
    let mut command = Command::new(program);
    command
        .arg("export")
        .arg(database)
        .args(["--format", "csv", "--component"])
        .arg(component);
    command
        .arg("--to")
        .arg(&store)
        .arg("--state")
        .arg(state)
        .args(["--name", "object"])
        .args(arguments);
    let output = command
        .output()
        .expect("the program partway is in the PATH, or PARTWAY names it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read(store.join("object")).unwrap()
}

#[test]
fn tables_become_lines_and_slices_change_nothing() {
    let component = component::build().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let hard = database(folder, HARD);
    assert_eq!(
        String::from_utf8(export(&hard, &component, &[])).unwrap(),
        HARD_AS_CSV
    );

    let many = database(folder, MANY);
    let whole = export(&many, &component, &[]);
    let lines = whole.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 2 + 5000 + 1666);
    // A fresh instance for each part, and for each part that a slice begins: all that passes between is the checkpoint.
    for limits in [
        ["--part-size", "4KiB", "--slice-parts", "1"],
        ["--part-size", "5001", "--slice-time", "1ms"],
    ] {
        assert!(
            export(&many, &component, &limits) == whole,
            "{limits:?}: slices change the object"
        );
    }
    let one = export(&many, &component, &["--table", "more"]);
    assert!(
        whole.ends_with(&one) && one.starts_with(b"\"more\""),
        "one table is not the end of all"
    );
}
