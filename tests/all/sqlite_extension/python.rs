//! Exports from inside SQLite, in Python's modules for it, each with a library of another version, and in Datasette.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::{TextEncoding, write_hard_cases, write_sample};
use serde_json::{Value, json};

use super::{Case, by_the_program};
use crate::support::{Fault, Program, Request, S3Server, WAIT_LIMIT, database, python_tools};

/// A Python, and its module for SQLite.
struct Python {
    program: PathBuf,
    module: &'static str,
}

/// Those that are here and load extensions. Many a Python's own module does not.
fn pythons() -> Vec<Python> {
    let system = Python { program: "/usr/bin/python3".into(), module: "sqlite3" };
    let tools = python_tools().map(|tools| tools.join("python"));
    let installed = tools.map(|program| Python { program, module: "pysqlite3" });
    [Some(system), installed].into_iter().flatten().filter(Python::loads_extensions).collect()
}

impl Python {
    fn loads_extensions(&self) -> bool {
        let module = self.module;
        let check = format!("import {module}; {module}.Connection.enable_load_extension");
        let output = Command::new(&self.program).args(["-c", &check]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Starts a case of `caller.py`.
    fn command(&self, case: &Case, name: &str, store: &str, database: &Path) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("all/sqlite_extension/caller.py");
        let mut command = Command::new(&self.program);
        command.arg(script).arg(self.module).arg(&case.extension);
        command.args([name, store]).arg(database);
        command
    }

    /// Runs a case with the folder as store; what it finds.
    fn run(&self, case: &Case, name: &str, database: &Path) -> Value {
        let store = case.path("store");
        found(self.command(case, name, store.to_str().unwrap(), database))
    }
}

fn found(mut command: Command) -> Value {
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}

#[test]
fn other_versions_of_sqlite_export_the_same_from_files_and_memory_and_threads() {
    let Some(case) = Case::new() else { return };
    for encoding in [TextEncoding::ALL[0], TextEncoding::ALL[1]] {
        let path = case.path(&format!("{encoding}.db"));
        write_hard_cases(&path, encoding, &[]).unwrap();
        let expected = by_the_program(&path, case.folder.path());
        for python in pythons() {
            let hashes = python.run(&case, "same", &path);
            assert_eq!(hashes, json!(vec![expected.clone(); 5]), "{}, {encoding}", python.module);
        }
    }
}

#[test]
fn the_newest_sqlite_exports_the_same() {
    let (Some(case), Some(tools)) = (Case::new(), python_tools()) else { return };
    let path = case.path("sample.db");
    write_hard_cases(&path, TextEncoding::ALL[1], &[]).unwrap();
    let script = "import apsw, json, sys
connection = apsw.Connection(sys.argv[2])
connection.enable_load_extension(True)
connection.load_extension(sys.argv[1])
print(connection.execute('SELECT partway_export(?)', (sys.argv[3],)).fetchone()[0])";
    let mut command = Command::new(tools.join("python"));
    command.args(["-c", script]).arg(&case.extension).arg(&path).arg(case.path("store"));
    assert_eq!(found(command)["sha256"], by_the_program(&path, case.folder.path()).as_str());
}

#[test]
fn the_connection_is_given_back_as_it_was() {
    let Some(case) = Case::new() else { return };
    for python in pythons() {
        let path = case.path(&format!("{}.db", python.module));
        write_sample(&path, 1).unwrap();
        let errors = python.run(&case, "state", &path);
        let said = errors[0].as_str().unwrap();
        assert!(errors.as_array().unwrap().len() == 1 && said.contains("nowhere"), "{errors}");
        let error = python.run(&case, "changed", &path);
        let said = "partway_parts: this connection has written to one of its databases";
        assert!(error.as_str().unwrap().starts_with(said), "{error}");
    }
}

#[test]
fn an_interrupted_export_ends_and_leaves_nothing() {
    let Some(case) = Case::new() else { return };
    let path = case.path("large.db");
    // More than is exported before an interrupt comes, however slow that is to come.
    let rows = "CREATE TABLE t (a);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
          INSERT INTO t SELECT randomblob(500000) FROM n;";
    drop(database(&path, rows));
    for python in pythons() {
        let found = python.run(&case, "interrupt", &path);
        assert_eq!(found, json!(["interrupted", [], "interrupted", []]), "{}", python.module);
    }
}

#[test]
fn an_interrupt_ends_an_upload_that_the_server_holds_up() {
    let Some(case) = Case::new() else { return };
    let path = case.path("sample.db");
    // One part: no other is on its way when the upload is thrown away.
    write_sample(&path, 1).unwrap();
    for python in pythons() {
        let server = S3Server::start();
        server.fail(Request::Part, 1, Fault::Hang);
        let command = python.command(&case, "interrupt_upload", "s3://exports/nightly", &path);
        let mut command = server.with(Program { command }).command;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        while server.hit(Request::Part, Fault::Hang) == 0 {
            assert!(began.elapsed() < WAIT_LIMIT, "no part is uploaded");
            sleep(Duration::from_millis(5));
        }
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let found: Value = serde_json::from_slice(&output.stdout).expect(&errors);
        assert_eq!(found[0], "interrupted");
        // The server would hold it up for longer.
        assert!(found[1].as_f64().unwrap() < 10.0, "{found}");
        assert_eq!(server.came(Request::Abort), 1);
        assert!(server.parts().is_empty(), "{:?}", server.parts());
    }
}

#[test]
fn datasette_exports_what_it_serves() {
    let (Some(case), Some(tools)) = (Case::new(), python_tools()) else { return };
    let path = case.path("served.db");
    write_sample(&path, 1).unwrap();
    let sql = format!(
        "SELECT partway_export('{}') ->> 'sha256' AS exported,
           (SELECT sum(length(bytes)) FROM partway_parts) AS bytes",
        case.path("store").display()
    );
    let query: String = sql.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut command = Command::new(tools.join("datasette"));
    command.arg(&path).arg("--load-extension").arg(&case.extension);
    command.args(["--setting", "sql_time_limit_ms", "60000"]);
    command.args(["--get", &format!("/served.json?_shape=array&sql={query}")]);
    let found = found(command);
    assert_eq!(found[0]["exported"], by_the_program(&path, case.folder.path()).as_str());
    assert!(found[0]["bytes"].as_u64() > Some(100_000), "{found}");
}
