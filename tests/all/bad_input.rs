//! Each mistake gives a clear error and the documented exit code, and leaves nothing that looks complete.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use partway_testbed::write_sample;

use crate::support::{Program, assert_sentences, database, pass_through, program};

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
        let store = folder.path().join("store");
        fs::create_dir(&store).unwrap();
        Self { folder, file, store }
    }

    fn export(&self) -> Program {
        self.export_of(&self.file)
    }

    fn export_of(&self, file: &Path) -> Program {
        Program::export(file, self.store.to_str().unwrap(), self.folder.path())
    }

    /// Checks how a run ends, and that it left nothing in the store.
    #[track_caller]
    fn fails(&self, run: Program, code: i32, expected: &str) {
        let output = run.run();
        assert_failed(&output, code, expected);
        assert_eq!(fs::read_dir(&self.store).unwrap().count(), 0, "something is left in the store");
    }
}

#[track_caller]
fn assert_failed(output: &Output, code: i32, expected: &str) {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    // Once, and nothing of a log.
    assert_eq!(printed.matches(expected).count(), 1, "{printed}");
    assert_sentences(&printed);
    assert!(output.stdout.is_empty(), "a failure prints on standard output");
}

#[test]
fn a_database_that_is_none_is_refused() {
    let case = Case::new();
    let path = |name: &str| case.folder.path().join(name);
    case.fails(case.export_of(&path("missing.db")), 1, "there is no database");
    case.fails(case.export_of(case.folder.path()), 1, "is not a file");
    fs::write(path("text.db"), "This is a text and no database. ".repeat(100)).unwrap();
    case.fails(case.export_of(&path("text.db")), 1, "is not a SQLite database");
}

#[test]
fn a_truncated_database_is_refused() {
    let case = Case::new();
    let file = case.folder.path().join("cut.db");
    write_sample(&file, 1).unwrap();
    let whole = fs::metadata(&file).unwrap().len();
    for part in [2, 10, 1000] {
        fs::File::options().write(true).open(&file).unwrap().set_len(whole / part).unwrap();
        case.fails(case.export_of(&file), 1, "is damaged or truncated");
    }
}

#[test]
fn what_this_user_may_not_read_or_write_is_named() {
    let case = Case::new();
    // Root may do anything: be nobody then, with a program and a database that nobody can reach.
    let folder = case.folder.path();
    let program_copy = folder.join("partway");
    // By another process: were it open for writing in this one, a child that another test starts at this moment would
    // have it open as well, and it could not be run ("text file busy").
    let copied = Command::new("cp").arg(program()).arg(&program_copy).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |file: &Path, store: &Path| {
        let mut command = Command::new(&program_copy);
        command.arg("export").arg(file).arg("--to").arg(store);
        command
            .arg("--state")
            .arg(std::env::temp_dir().join(format!("nobody-{}", std::process::id())));
        if fs::metadata("/proc/self")
            .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
        {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    };
    fs::set_permissions(&case.file, fs::Permissions::from_mode(0o000)).unwrap();
    assert_failed(
        &as_nobody(&case.file, &case.store),
        1,
        "can't be read: this user needs read permission",
    );
    fs::set_permissions(&case.file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&case.store, fs::Permissions::from_mode(0o555)).unwrap();
    assert_failed(&as_nobody(&case.file, &case.store), 1, "can't be written to");
    assert_eq!(fs::read_dir(&case.store).unwrap().count(), 0);
}

#[test]
fn a_store_that_is_none_is_refused() {
    let case = Case::new();
    let to = |store: &str| Program::export(&case.file, store, case.folder.path());
    let missing = case.folder.path().join("missing");
    case.fails(to(missing.to_str().unwrap()), 1, "does not exist: create it first");
    case.fails(to(case.file.to_str().unwrap()), 1, "can't be written to: not a directory");
    case.fails(to("ftp://host/path"), 2, "is not a store: give a folder");
    case.fails(to("s3://"), 2, "has no bucket");
    case.fails(case.export().with(["--name", "../escape.sql"]), 2, "not a plain name");
}

#[test]
fn a_part_size_that_will_not_do_is_refused() {
    let case = Case::new();
    let with = |size: &'static str| case.export().with(["--part-size", size]);
    case.fails(with("1KiB"), 2, "too small for this store: the minimum is 4096");
    case.fails(with("8GiB"), 2, "too large");
    case.fails(with("many"), 2, "not a size");

    // A database of 60 GiB, most of it a hole: the header says how many pages there are.
    let large = case.folder.path().join("large.db");
    drop(database(&large, "PRAGMA page_size=65536; CREATE TABLE t (a);"));
    let pages: u32 = 60 * 16 * 1024;
    let file = fs::File::options().write(true).open(&large).unwrap();
    file.set_len(u64::from(pages) * 65_536).unwrap();
    file.write_all_at(&pages.to_be_bytes(), 28).unwrap();
    let run =
        Program::export(&large, "s3://bucket", case.folder.path()).with(["--part-size", "5MiB"]);
    case.fails(run, 2, "would need more than the 10000 parts that the store allows");
}

#[test]
fn options_that_name_nothing_are_refused() {
    let case = Case::new();
    case.fails(case.export().with(["--table", "nothing"]), 2, "the database has no such table");
    case.fails(
        case.export().with(["--format", "xml"]),
        2,
        "there is no format \"xml\": use sql, sqlite, csv, ndjson, json or parquet",
    );
    case.fails(case.export().with(["--encrypt-to", "age1foo"]), 2, "is a damaged public key");
    let codec = ["--compress", "x", "--codec", "nothing.wasm"];
    case.fails(case.export().with(codec), 1, "nothing.wasm can't be used: it does not exist");
    case.fails(case.export().with(["--slice-time", "soon"]), 2, "not a duration");
    case.fails(case.export().with(["--slice-parts", "0"]), 2, "0 is not in 1..");
}

#[test]
fn a_component_that_is_none_is_refused() {
    let case = Case::new();
    let file = case.folder.path().join("component.wasm");
    let with = || case.export().with(["--component", file.to_str().unwrap()]);
    case.fails(with(), 1, "it does not exist: check the name");
    fs::write(&file, "no component").unwrap();
    case.fails(with(), 1, "it is not a WebAssembly component");
    fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    case.fails(with(), 1, "it is not a WebAssembly component");
    fs::write(&file, pass_through()).unwrap();
    case.fails(with(), 1, "not one of the world partway:pipe/export-component@0.1.0");
}

#[test]
fn a_checkpoint_cut_short_is_refused() {
    let case = Case::new();
    let exporter = partway_wasmtime::exporter::Exporter::prebuilt().unwrap();
    let snapshot = partway_sqlite::Snapshot::hold(&case.file).unwrap();
    let start =
        |options: &partway_wasmtime::exporter::Options| exporter.start(snapshot.clone(), options);
    let options = partway_wasmtime::exporter::Options {
        format: "sql".into(),
        tables: vec![],
        part_size: 4096,
        settings: vec![],
    };
    let checkpoint = start(&options).unwrap();
    for end in [0, 1, checkpoint.len() / 2, checkpoint.len() - 1] {
        let ctx = partway_wasmtime::PipeCtx::builder().build(snapshot.clone(), Nowhere);
        let budget = partway_wasmtime::exporter::Budget { parts: 1 };
        let error = exporter.resume(ctx, &checkpoint[..end], budget).unwrap_err().to_string();
        assert!(error.contains("the checkpoint is damaged"), "{error}");
    }
}

#[test]
fn a_full_disk_is_named_and_the_export_goes_on_when_there_is_room() {
    let case = Case::new();
    let file = case.folder.path().join("sample.db");
    write_sample(&file, 6).unwrap();
    let mount = |size: &str, again: &str| {
        let options = format!("size={size}{again}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&case.store);
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !mount("2m", "") {
        println!("not tested: this user may not mount a small file system");
        return;
    }
    let arguments = ["--slice-parts", "2", "--part-size", "64KiB"];
    let mut run = case.export_of(&file).with(arguments);
    let child = run.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let failed = || crate::support::jobs(case.folder.path()).iter().any(|job| job["attempts"] != 0);
    for _ in 0..600 {
        if failed() {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let hidden: Vec<_> = fs::read_dir(&case.store)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    // Somebody makes room while the export waits.
    let more = mount("100m", ",remount");
    let output = child.wait_with_output().unwrap();
    let unmounted = Command::new("umount").arg("-l").arg(&case.store).status();

    assert!(more && unmounted.unwrap().success());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("is full: free some space; trying again in 2 s (1 of 6)"),
        "{printed}"
    );
    assert!(hidden.iter().all(|name| name.starts_with('.')), "{hidden:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_of_messages_that_goes_away_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    let run = |arguments: &[&std::ffi::OsStr]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(program());
        command.args(arguments).env("PARTWAY_LOG", "trace").stderr(writer);
        command.current_dir(folder.path()).output().unwrap().status.code()
    };
    let (database, missing) = (file.as_os_str(), std::ffi::OsStr::new("missing.db"));
    let words = |text: &'static [&'static str]| text.iter().map(std::ffi::OsStr::new);
    let to = words(&["--to", ".", "--state", "state", "--name", "a.sql"]).collect::<Vec<_>>();
    assert_eq!(run(&[&[std::ffi::OsStr::new("export"), database][..], &to].concat()), Some(0));
    assert!(folder.path().join("a.sql").exists());
    assert_eq!(run(&["export".as_ref(), missing]), Some(1));
    assert_eq!(run(&["verify".as_ref(), missing]), Some(1));
}

#[test]
fn a_second_process_on_the_same_export_is_refused() {
    let case = Case::new();
    let file = case.folder.path().join("sample.db");
    write_sample(&file, 12).unwrap();
    let run = || case.export_of(&file).with(["--slice-parts", "1", "--part-size", "16KiB"]);
    let mut first = run().command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::read_dir(&case.store).unwrap().count() == 0 {
        sleep(Duration::from_millis(5));
    }
    assert_failed(&run().run(), 1, "by another process");
    first.kill().unwrap();
    first.wait().unwrap();
    // Its lock went with it.
    run().succeed();
}

#[test]
fn a_reader_that_goes_away_ends_the_export() {
    let case = Case::new();
    let file = case.folder.path().join("sample.db");
    write_sample(&file, 4).unwrap();
    let mut child = Command::new(program())
        .arg("export")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_failed(&output, 1, "the reader of standard output closed it");
}

struct Nowhere;

#[partway_wasmtime::async_trait]
impl partway_wasmtime::parts::Parts for Nowhere {
    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), partway_wasmtime::parts::Error> {
        Ok(())
    }
}
