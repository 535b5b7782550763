//! `examples/all-wasi`: a program of components alone, run by the stock `wasmtime`, writes the same objects.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use partway_component_build::{Library, Toolchain, build_workspace};
use partway_prebuilt::EXPORTER;
use partway_testbed::{TextEncoding, hard_cases, write_hard_cases, write_sample};
use rusqlite::Connection;
use wac_graph::EncodeOptions;
use wac_graph::types::BorrowedPackageKey;
use wac_parser::Document;
use wit_parser::WorldItem;
use wit_parser::decoding::DecodedWasm;

use crate::support::{TOO_WIDE, program, sha256, signal, wasmtime};

/// The program, composed as its README says, in a file: as machine code, since it is run often.
fn composed(wasmtime: &Path) -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let [file, compiled] = ["all-wasi.wasm", "all-wasi.cwasm"]
            .map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        fs::write(&file, compose()).unwrap();
        let mut compile = Command::new(wasmtime);
        compile.arg("compile").arg(file).arg("--output").arg(&compiled);
        assert!(compile.status().expect("wasmtime starts").success());
        compiled
    })
}

fn compose() -> Vec<u8> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/all-wasi");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let toolchain = Toolchain::find().expect("a toolchain for wasm");
    let manifest = example.join("Cargo.toml");
    let names = ["sqlite-rows", "folder-parts", "command"];
    let built =
        build_workspace(&toolchain, &manifest, &names, &target, Library::Std).expect("components");
    let names = names.map(|name| format!("partway-example:{name}"));
    let mut packages: Vec<(&str, Vec<u8>)> = names.iter().map(String::as_str).zip(built).collect();
    packages.push(("partway:exporter", EXPORTER.to_vec()));
    let key = |name| BorrowedPackageKey::from_name_and_version(name, None);
    let packages = packages.into_iter().map(|(name, bytes)| (key(name), bytes)).collect();
    let text = fs::read_to_string(example.join("compose.wac")).unwrap();
    let document = Document::parse(&text).expect("a composition");
    let composition = document.resolve(packages).expect("components that fit");
    composition.encode(EncodeOptions::default()).expect("a component")
}

/// A folder that the program may use, as `/data`, and nothing else.
pub(super) struct Case {
    folder: tempfile::TempDir,
    wasmtime: PathBuf,
}

impl Case {
    /// None, and a line that says so, where there is no wasmtime.
    pub(super) fn new() -> Option<Self> {
        let wasmtime = wasmtime()?;
        Some(Self { folder: tempfile::tempdir().unwrap(), wasmtime })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `wasmtime run` of an export from this database to this object.
    fn export(&self, database: &str, output: &str, slices: &[&str]) -> Command {
        let mut command = Command::new(&self.wasmtime);
        command.args(["run", "--allow-precompiled", "--dir"]);
        command.arg(format!("{}::/data", self.folder.path().display()));
        command.arg(composed(&self.wasmtime));
        command.args([database, output].map(|name| format!("/data/{name}"))).args(slices);
        command
    }

    /// Runs it to a good end; what it prints.
    pub(super) fn succeed(&self, database: &str, output: &str, slices: &[&str]) -> String {
        let done = self.export(database, output, slices).output().expect("wasmtime starts");
        assert!(done.status.success(), "{database}: {}", printed(&done));
        printed(&done)
    }

    /// Runs it to an error, which it says.
    fn fail(&self, database: &str, output: &str) -> String {
        let done = self.export(database, output, &[]).output().expect("wasmtime starts");
        assert_eq!(done.status.code(), Some(1), "{database}: {}", printed(&done));
        printed(&done)
    }

    /// Starts it.
    fn start(&self, database: &str, output: &str) -> Running {
        let mut command = self.export(database, output, &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// The SHA-256 of what the program makes of a database.
    fn expected(&self, database: &str) -> String {
        let dump = self.path("expected.sql");
        let file = fs::File::create(&dump).unwrap();
        let mut command = Command::new(program());
        let done = command.arg("export").arg(self.path(database)).stdout(file).output().unwrap();
        assert!(done.status.success(), "{}", printed(&done));
        sha256(&dump)
    }
}

/// An export that runs.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Returns when a slice is saved.
    fn wait_for_slice(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("slice 1: "), "{line}");
    }
}

fn printed(output: &Output) -> String {
    let [printed, errors] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{printed}{errors}")
}

#[test]
fn a_program_of_components_imports_wasi_alone() {
    let Some(case) = Case::new() else { return };
    let program = fs::read(composed(&case.wasmtime).with_extension("wasm")).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_parser::decoding::decode(&program).unwrap()
    else {
        panic!("a package, not a component");
    };
    let name = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id).unwrap(),
        other => panic!("something beside interfaces: {other:?}"),
    };
    let world = &resolve.worlds[world];
    for import in world.imports.values().map(name) {
        // Files, and what it prints: no network, no random numbers, no environment but its arguments.
        let known = ["wasi:cli/", "wasi:clocks/wall-clock@", "wasi:filesystem/", "wasi:io/"];
        assert!(known.iter().any(|known| import.starts_with(known)), "{import}");
    }
    let exports: Vec<String> = world.exports.values().map(name).collect();
    assert!(matches!(&exports[..], [run] if run.starts_with("wasi:cli/run@")), "{exports:?}");
}

#[test]
fn a_program_of_components_alone_writes_what_the_program_writes() {
    let Some(case) = Case::new() else { return };
    let cases = hard_cases();
    let long = cases.iter().map(|case| case.name).filter(|name| name.starts_with("long "));
    let without: Vec<&str> = TOO_WIDE.into_iter().chain(long).collect();
    for encoding in TextEncoding::ALL {
        let (database, output) = (format!("{encoding}.db"), format!("{encoding}.sql"));
        write_hard_cases(&case.path(&database), encoding, &without).unwrap();
        case.succeed(&database, &output, &[]);
        assert_eq!(sha256(&case.path(&output)), case.expected(&database), "{encoding}");
    }
}

#[test]
fn a_killed_program_of_components_goes_on() {
    let Some(case) = Case::new() else { return };
    write_sample(&case.path("shop.db"), 10).unwrap();
    // A part of the database is in the log.
    let writer = Connection::open(case.path("shop.db")).unwrap();
    writer.pragma_update(None, "journal_mode", "WAL").unwrap();
    let changes =
        "CREATE TABLE keys (k TEXT COLLATE NOCASE, n, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           INSERT INTO keys SELECT 'Key ' || (i % 97), i FROM n;";
    writer.execute_batch(changes).unwrap();
    let expected = case.expected("shop.db");

    let mut victim = case.start("shop.db", "shop.sql");
    victim.wait_for_slice();
    victim.child.kill().unwrap();
    victim.child.wait().unwrap();
    assert!(!case.path("shop.sql").exists(), "the first slices were all");

    let printed = case.succeed("shop.db", "shop.sql", &["1"]);
    assert!(printed.ends_with("stopped: the same command goes on from here\n"), "{printed}");
    assert!(!case.path("shop.sql").exists());
    let printed = case.succeed("shop.db", "shop.sql", &[]);
    // Parts that were saved before are not written again.
    let slices = printed.lines().filter(|line| line.starts_with("slice ")).count() as u64;
    let bytes = fs::metadata(case.path("shop.sql")).unwrap().len();
    assert!(slices < bytes / (2 << 20) - 1, "{slices} slices for {bytes} bytes: {printed}");
    assert_eq!(sha256(&case.path("shop.sql")), expected);
    assert!(!case.path("shop.sql.partial").exists());

    let refused = case.fail("shop.db", "shop.sql");
    assert_eq!(refused, "all-wasi: /data/shop.sql exists already\n");
    assert!(!case.path("shop.sql.partial").exists());
    // As when it is killed right after the object got its name.
    fs::create_dir(case.path("shop.sql.partial")).unwrap();
    fs::hard_link(case.path("shop.sql"), case.path("shop.sql.partial/parts")).unwrap();
    let printed = case.succeed("shop.db", "shop.sql", &[]);
    assert_eq!(printed, "/data/shop.sql is complete\n");
    assert_eq!(sha256(&case.path("shop.sql")), expected);
    assert!(!case.path("shop.sql.partial").exists());
}

#[test]
fn a_program_of_components_refuses_a_database_that_has_changed() {
    let Some(case) = Case::new() else { return };
    write_sample(&case.path("shop.db"), 10).unwrap();
    for (number, journal) in (5..).zip(["DELETE", "WAL"]) {
        let output = format!("{journal}.sql");
        let writer = Connection::open(case.path("shop.db")).unwrap();
        writer.pragma_update(None, "journal_mode", journal).unwrap();
        case.succeed("shop.db", &output, &["1"]);
        writer.pragma_update(None, "user_version", number).unwrap();
        let refused = case.fail("shop.db", &output);
        let advice = format!("delete /data/{output}.partial to start over");
        assert!(
            refused.contains("the database was changed") && refused.contains(&advice),
            "{refused}"
        );
        assert!(!case.path(&output).exists());
    }
    // While it runs, too.
    let mut running = case.start("shop.db", "running.sql");
    running.wait_for_slice();
    signal(&running.child, "-STOP");
    let writer = Connection::open(case.path("shop.db")).unwrap();
    writer.pragma_update(None, "user_version", 7).unwrap();
    signal(&running.child, "-CONT");
    let done = running.child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", printed(&done));
    assert!(printed(&done).contains("the database was changed"), "{}", printed(&done));
    assert!(!case.path("running.sql").exists());
    // Half a transaction in the file, as after a crash: nobody may read it before it is rolled back.
    fs::copy(case.path("shop.db"), case.path("crashed.db")).unwrap();
    fs::write(case.path("crashed.db-journal"), [0xd9; 1024]).unwrap();
    let refused = case.fail("crashed.db", "crashed.sql");
    assert!(refused.contains("/data/crashed.db can't be read"), "{refused}");
    let refused = case.fail("missing.db", "missing.sql");
    assert_eq!(refused, "all-wasi: there is no file /data/missing.db\n");
}
