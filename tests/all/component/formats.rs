//! Formats by somebody else, in other languages: the components of `examples/format-*`, run by the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use partway_component_build::Toolchain;
use partway_testbed::{TextEncoding, hard_cases, write_hard_cases};

use crate::support::{
    Interfaces, Program, TOO_WIDE, built, interfaces, node, program, python_tools, summary,
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The commands that build those components that can be built here, as their READMEs give them.
fn builds(folder: &Path) -> Vec<(&'static str, PathBuf, Command)> {
    let mut builds = Vec::new();
    if let Some(tools) = python_tools() {
        let component = folder.join("python.wasm");
        let mut command = Command::new(tools.join("componentize-py"));
        command.current_dir(repository().join("examples/format-python"));
        command.args(["--wit-path", "../../wit", "--world", "export-component"]);
        command.args(["componentize", "--stub-wasi", "app", "--output"]).arg(&component);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("VIRTUAL_ENV");
        builds.push(("Python", component, command));
    }
    if let Some(node) = node() {
        let component = folder.join("javascript.wasm");
        let mut command = Command::new(node);
        command.current_dir(repository().join("examples/format-javascript"));
        command.arg("node_modules/@bytecodealliance/componentize-js/src/cli.js");
        command.args(["--wit", "../../wit", "--world-name", "export-component", "--disable"]);
        command.args(["stdio", "random", "clocks", "http", "fetch-event"]);
        command.arg("--out").arg(&component).arg("app.js");
        builds.push(("JavaScript", component, command));
    }
    builds
}

/// Runs a command that must end well.
fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{printed}{errors}", output.status);
    output
}

/// `partway export` to standard output. Compiled components are kept from one run of the program to the next.
fn export(database: &Path, component: &Path, cache: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .arg("export")
        .arg(database)
        .arg("--component")
        .arg(component)
        .args(["--format", "ndjson"]);
    command.env("XDG_CACHE_HOME", cache);
    command
}

/// What Python's own library makes of a database.
fn expected(database: &Path) -> Vec<u8> {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/ndjson.py");
    succeed(Command::new("python3").arg(judge).arg(database)).stdout
}

/// An export in small slices, each in a fresh instance.
fn in_slices(database: &Path, component: &Path, cache: &Path, limits: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let mut command = Program::export(database, store.to_str().unwrap(), folder.path()).with([
        "--format",
        "ndjson",
        "--name",
        "rows",
        "--component",
    ]);
    command.command.arg(component).args(limits).env("XDG_CACHE_HOME", cache);
    let done = summary(&command.run());
    let object = fs::read(store.join("rows")).unwrap();
    assert_eq!(done["bytes"], object.len());
    assert!(done["slices"].as_u64().unwrap() > 10, "{done}");
    object
}

#[test]
fn components_in_python_and_javascript_write_what_pythons_own_sqlite_says() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut databases = Vec::new();
    for encoding in [TextEncoding::Utf8, TextEncoding::Utf16be] {
        let path = folder.path().join(format!("{encoding}.db"));
        // Long values are few and the same in both encodings.
        let cases = hard_cases();
        let long = cases.iter().map(|case| case.name).filter(|name| name.starts_with("long "));
        let long = long.filter(|_| encoding == TextEncoding::Utf16be);
        let without: Vec<&str> = TOO_WIDE.into_iter().chain(long).collect();
        write_hard_cases(&path, encoding, &without).unwrap();
        let expected = expected(&path);
        databases.push((path, expected));
    }
    thread::scope(|scope| {
        for (language, component, mut build) in builds(folder.path()) {
            let (databases, cache) = (&databases, &cache);
            scope.spawn(move || {
                succeed(&mut build);
                let found = interfaces(&fs::read(&component).unwrap());
                let contract = Interfaces::of_exporters();
                assert_eq!(found.imports, contract.imports, "{language}");
                // componentize-py exports something of its own as well.
                assert!(found.exports.is_superset(&contract.exports), "{language}: {found:?}");
                for (database, expected) in databases {
                    let whole = succeed(&mut export(database, &component, cache));
                    assert_same(language, database, &whole.stdout, expected);
                }
                let (database, expected) = &databases[0];
                let by_parts = ["--part-size", "500KiB", "--slice-parts", "1"];
                let object = in_slices(database, &component, cache, &by_parts);
                assert_same(language, database, &object, expected);
                // Each slice is late, and ends as soon as it may: after its first part.
                let by_time = ["--part-size", "300001", "--slice-time", "1ms"];
                let object = in_slices(database, &component, cache, &by_time);
                assert_same(language, database, &object, expected);
                mistakes(language, database, &component, cache);
            });
        }
    });
}

/// The first line that differs says more than millions of bytes.
#[track_caller]
fn assert_same(language: &str, database: &Path, object: &[u8], expected: &[u8]) {
    let lines = |bytes: &[u8]| -> Vec<String> {
        bytes
            .split(|byte| *byte == b'\n')
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    };
    if object != expected {
        let (found, expected) = (lines(object), lines(expected));
        let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        let short = |line: &String| line.chars().take(500).collect::<String>();
        let first = first.map(|(found, expected)| (short(found), short(expected)));
        let (found, expected) = (found.len(), expected.len());
        panic!("{language}, {}: {found} lines, not {expected}; {first:#?}", database.display());
    }
}

/// What can't be done is named.
fn mistakes(language: &str, database: &Path, component: &Path, cache: &Path) {
    let cases: [(&[&str], &str); 4] = [
        (
            &["--format", "sql"],
            "this component does not know the format 'sql': it writes \"ndjson\"",
        ),
        (&["--table", "nowhere"], "there is no table 'nowhere'"),
        (&["--no-rowids"], "the format has no setting 'rowids'"),
        (&["--table", "nuls", "--table", "ends"], ""),
    ];
    for (arguments, message) in cases {
        let mut command = Command::new(program());
        command.arg("export").arg(database).arg("--component").arg(component).args(arguments);
        if arguments[0] != "--format" {
            command.args(["--format", "ndjson"]);
        }
        let output = command.env("XDG_CACHE_HOME", cache).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), message.is_empty(), "{language}: {printed}");
        assert!(printed.contains(message), "{language}: {printed}");
        if message.is_empty() {
            let exported = String::from_utf8(output.stdout).unwrap();
            let tables: BTreeSet<&str> =
                exported.lines().filter_map(|line| line.split('"').nth(3)).collect();
            assert_eq!(tables, BTreeSet::from(["ends", "nuls", "tables"]), "{language}");
        }
    }
}

/// `cargo xtask new-component`.
fn new_component(name: &str, folder: &Path) -> Output {
    Command::new(built("xtask")).args(["new-component", name]).arg(folder).output().unwrap()
}

#[test]
fn a_new_component_passes_its_test_and_imports_the_contract_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    for (name, told) in [("no crate", "invalid character"), ("fn", "Rust keyword"), ("3d", "digit")]
    {
        let output = new_component(name, &made);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains(told), "{name}: {printed}");
        assert!(!made.exists(), "{name}");
    }
    let output = new_component("my-lines", &made);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = new_component("my-lines", &made);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));

    // Of the same versions as everything here, and in a folder where some of them are compiled.
    fs::copy(repository().join("Cargo.lock"), made.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let mut test = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    test.current_dir(&made).arg("test").env("CARGO_TARGET_DIR", &target).env("PARTWAY", program());
    if matches!(Toolchain::find().unwrap(), Toolchain::Debian) {
        test.env("PARTWAY_TOOLCHAIN", "debian");
    }
    let printed = succeed(&mut test).stdout;
    let printed = String::from_utf8_lossy(&printed);
    assert!(printed.contains("tables_become_lines_and_slices_change_nothing ... ok"), "{printed}");
    let component = target.join("wasm32-unknown-unknown/release/my-lines.component.wasm");
    assert_eq!(interfaces(&fs::read(component).unwrap()), Interfaces::of_exporters());
}
