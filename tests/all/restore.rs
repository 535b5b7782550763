//! `partway restore`: a database appears when its dump is whole, and never before.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::{compare, write_sample};

use crate::support::{
    Program, S3Server, Server, WAIT_LIMIT, assert_sentences, database, export, garage, preload,
    python_tools, sha256, signal, summary,
};

const MIB: u64 = 1024 * 1024;

/// A database, its dump, and where it is to be restored.
struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    dump: PathBuf,
}

impl Case {
    fn sample(megabytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("original.db");
        write_sample(&file, megabytes).unwrap();
        fs::create_dir(folder.path().join("new")).unwrap();
        let dump = export(&file, folder.path(), MIB as u32, || u32::MAX).file;
        Self { folder, file, dump }
    }

    /// Where the new database is to be, in a folder of its own.
    fn new_file(&self) -> PathBuf {
        self.folder.path().join("new/new.db")
    }

    fn restore(&self, dump: &str) -> Program {
        Program::restore(dump, &self.new_file())
    }

    fn run(&self, dump: &Path, arguments: &[&str]) -> Output {
        self.restore(dump.to_str().unwrap()).with(arguments.iter().copied()).run()
    }

    /// What is in the new database's folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("new")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[track_caller]
    fn assert_restored(&self) {
        assert_eq!(self.names(), ["new.db"]);
        let differences = compare(&self.file, &self.new_file()).unwrap();
        assert!(differences.is_empty(), "{differences:?}");
        fs::remove_file(self.new_file()).unwrap();
    }
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, said: &str) {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    assert!(printed.contains(said), "{said} is not in: {printed}");
    assert_sentences(&printed);
}

#[test]
fn a_dump_comes_back_from_a_file_a_pipe_and_standard_input() {
    let case = Case::sample(3);
    let hash = sha256(&case.dump);
    let printed = summary(&case.run(&case.dump, &["--json", "--sha256", &hash]));
    assert_eq!((printed["sha256"].as_str(), printed["tables"].as_u64()), (Some(&*hash), Some(6)));
    assert_eq!(printed["bytes"], fs::metadata(&case.dump).unwrap().len());
    case.assert_restored();

    let mut restore = case.restore("-");
    let mut child = restore.command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&case.dump).unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    case.assert_restored();
}

#[test]
fn a_large_object_comes_back_in_ranges() {
    let Some(server) = garage() else { return };
    let case = Case::sample(24);
    let prefix = server.prefix("restore");
    let summary = server.with(Program::export(&case.file, &prefix, case.folder.path())).succeed();
    assert!(summary["bytes"].as_u64().unwrap() > 16 * MIB);
    let location = summary["location"].as_str().unwrap();
    let restored = server.with(case.restore(location).with(["--json"])).succeed();
    assert_eq!(restored["sha256"], summary["sha256"]);
    case.assert_restored();
    let missing = server.with(case.restore(&format!("{location}.gone"))).run();
    assert_refused(&missing, 1, "does not exist");
}

#[test]
fn an_object_of_another_server_comes_back_too() {
    let server = S3Server::start();
    let case = Case::sample(12);
    let location = server.export(&case.file, "exports", case.folder.path()).succeed();
    let location = location["location"].as_str().unwrap();
    server.with(case.restore(location).with(["--json"])).succeed();
    case.assert_restored();
}

#[test]
fn a_dump_comes_back_from_a_web_server_with_ranges_and_without() {
    let case = Case::sample(24);
    let folder = case.folder.path();
    let tokens = folder.join("tokens");
    fs::write(&tokens, "admin 0123456789abcdef0123\n").unwrap();
    let served = [case.file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()];
    let server = Server::with_store(folder, served);
    let authorized =
        [("authorization", "Bearer 0123456789abcdef0123"), ("content-type", "application/json")];
    let begun = server.ask("POST", "/export/dump", &authorized, "{}").result(202);
    let id = begun["exportId"].as_str().unwrap();
    let began = Instant::now();
    let path = format!("/export/status/{id}");
    while server.ask("GET", &path, &authorized, "").result(200)["status"] != "done" {
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(10));
    }
    let url = format!("{}/export/download/{id}", server.url);
    let restore = |url: &str, token: &str| {
        let mut restore = case.restore(url).with(["--json"]);
        restore.command.env("PARTWAY_TOKEN", token);
        restore.run()
    };
    let restored = summary(&restore(&url, "0123456789abcdef0123"));
    assert_eq!(restored["sha256"], *sha256(&case.dump));
    case.assert_restored();
    assert_refused(&restore(&url, ""), 1, "is a token missing, or wrong?");
    let unknown = format!("{}/export/download/0123456789abcdef", server.url);
    assert_refused(&restore(&unknown, "0123456789abcdef0123"), 1, "does not exist");
    drop(server);
    assert_refused(&restore(&url, ""), 1, "can't be reached");
    assert!(case.names().is_empty());

    let Some(tools) = python_tools() else { return };
    let mut python = Command::new(tools.join("python"));
    python.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(folder);
    let mut python = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split(' ').nth(5).unwrap();
    let name = case.dump.file_name().unwrap().to_str().unwrap();
    let output = restore(&format!("http://127.0.0.1:{port}/{name}?secret"), "");
    python.kill().unwrap();
    python.wait().unwrap();
    summary(&output);
    case.assert_restored();
}

#[test]
fn killed_it_leaves_nothing_that_looks_whole_and_starts_over() {
    let case = Case::sample(24);
    let began_to_write = |left_over: &[String]| {
        let mut command = case.restore(case.dump.to_str().unwrap()).command;
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        let is_written = || {
            let new = case.folder.path().join("new");
            let entries = fs::read_dir(new).unwrap().map(|entry| entry.unwrap());
            let mut mine = entries
                .filter(|entry| !left_over.contains(&entry.file_name().into_string().unwrap()));
            mine.any(|entry| entry.metadata().is_ok_and(|found| found.len() > MIB))
        };
        while !is_written() {
            assert!(began.elapsed() < WAIT_LIMIT && child.try_wait().unwrap().is_none());
            sleep(Duration::from_millis(1));
        }
        child
    };
    let mut child = began_to_write(&[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let [left] = case.names().try_into().unwrap();
    assert!(left.starts_with(".new.db.") && left.ends_with(".partway-restore"), "{left}");

    let child = began_to_write(&[left]);
    // What was left over is deleted.
    assert_eq!(case.names().len(), 1);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, 130, "interrupted: there is no new database");
    assert_eq!(case.names(), [""; 0]);
    assert!(case.run(&case.dump, &[]).status.success());
    if let Some(tools) = python_tools() {
        // SQLite's own program says that they are one.
        let hash = |file: &Path| {
            let mut python = Command::new(tools.join("python"));
            python.args(["-m", "apsw.sqlite_extra", "sqlite3_dbhash"]).arg(file);
            let output = python.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let printed = String::from_utf8(output.stdout).unwrap();
            printed.split(' ').next().unwrap().to_owned()
        };
        assert_eq!(hash(&case.new_file()), hash(&case.file));
    }
    case.assert_restored();
}

/// Asserts that restoring ended because there was no room, says so, and left nothing.
#[track_caller]
fn assert_full(case: &Case, output: &Output) {
    assert_refused(output, 1, "new.db can't be written: the disk is full: make room for all of it");
    assert_eq!(case.names(), [""; 0]);
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let case = Case::sample(6);
    let new = case.folder.path().join("new");
    let mount = |size: &str, again: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}{again}"), "tmpfs"]).arg(&new);
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !mount("2m", "") {
        println!("not tested: this user may not mount a small file system");
        return;
    }
    let full = [case.run(&case.dump, &[]), case.run(&case.file, &[])];
    let left = case.names();
    let more = mount("100m", ",remount");
    let restored = case.run(&case.dump, &[]);
    let differences = compare(&case.file, &case.new_file());
    let unmounted = Command::new("umount").arg("-l").arg(&new).status();

    assert!(more && unmounted.unwrap().success());
    full.iter().for_each(|output| assert_full(&case, output));
    assert_eq!(left, [""; 0]);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(differences.unwrap().len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_write_that_fails_is_named_and_leaves_nothing() {
    let case = Case::sample(6);
    let new = case.folder.path().join("new").canonicalize().unwrap();
    let library = preload("calls", case.folder.path());
    let counts = case.folder.path().join("counts");
    const ENOSPC: i32 = 28;
    const EDQUOT: i32 = 122;
    const EFBIG: i32 = 27;
    for (kind, at, error) in [
        ("write", 1, ENOSPC),
        ("write", 700, ENOSPC),
        ("write", 700, EDQUOT),
        ("write", 700, EFBIG),
        ("sync", 1, ENOSPC),
    ] {
        for dump in [&case.dump, &case.file] {
            fs::write(&counts, [0; 8192]).unwrap();
            let mut restore = case.restore(dump.to_str().unwrap());
            restore.command.env("LD_PRELOAD", &library).env("FAULT_COUNTS", &counts);
            restore.command.env("FAULT_FOLDERS", &new).env("FAULT_AND_ALL_AFTER", "1");
            restore.command.env("FAULT_KIND", kind).env("FAULT_AT", at.to_string());
            restore.command.env("FAULT_ERRNO", error.to_string());
            let output = restore.run();
            // An image is written in fewer calls.
            if at == 700 && dump == &case.file && output.status.success() {
                case.assert_restored();
                continue;
            }
            assert_full(&case, &output);
        }
    }
}

/// A wide gap between what is read and what is run, and back: each statement counts once, whatever its length.
#[test]
fn statements_of_any_length_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (file, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    drop(database(
        &file,
        "CREATE TABLE t(a, b UNIQUE); CREATE TABLE u(a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
         INSERT INTO t SELECT zeroblob(i * i * 10000), i FROM n;
         INSERT INTO u SELECT printf('%.*c', b * 100000, 'x') FROM t;",
    ));
    let dump = export(&file, folder.path(), MIB as u32, || u32::MAX).file;
    let output = Program::restore(dump.to_str().unwrap(), &new).run();
    assert!(output.status.success(), "{output:?}");
    let differences = compare(&file, &new).unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn nothing_is_overwritten() {
    let case = Case::sample(1);
    for name in ["new.db", "new.db-wal", "new.db-journal"] {
        let path = case.folder.path().join("new").join(name);
        fs::write(&path, "mine").unwrap();
        assert_refused(&case.run(&case.dump, &[]), 2, &format!("{name} exists"));
        assert_eq!(
            (case.names(), fs::read_to_string(&path).unwrap()),
            (vec![name.into()], "mine".into())
        );
        fs::remove_file(path).unwrap();
    }
    let nowhere = case.folder.path().join("nowhere/new.db");
    let output = Program::restore(case.dump.to_str().unwrap(), &nowhere).run();
    assert_refused(&output, 1, "does not exist: create it first");
}

#[test]
fn a_dump_that_is_cut_off_or_altered_gives_no_database() {
    let case = Case::sample(1);
    let whole = fs::read(&case.dump).unwrap();
    let text = String::from_utf8_lossy(&whole).into_owned();
    let table = text.find("CREATE TABLE").unwrap();
    let rows = text.find("\n(").unwrap();
    let last = text.rfind("COMMIT;").unwrap();
    let dump = case.folder.path().join("altered.sql");
    for cut in [0, 1, 20, table + 5, rows + 3, whole.len() / 2, last, last + 7, whole.len() - 1] {
        fs::write(&dump, &whole[..cut]).unwrap();
        let said = if cut <= 20 { "altered.sql" } else { "is cut off after" };
        assert_refused(&case.run(&dump, &[]), 1, said);
        assert_eq!(case.names(), [""; 0], "{cut}");
    }
    for (at, byte, said) in [
        (0, b'x', "is not a SQL dump"),
        (table, b'X', "fails: near \"XREATE\""),
        (rows + 1, b'x', "fails"),
        (last, b'X', "fails"),
        (whole.len() - 1, b'x', ""),
    ] {
        let mut altered = whole.clone();
        altered[at] = byte;
        fs::write(&dump, altered).unwrap();
        assert_refused(&case.run(&dump, &[]), 1, said);
        assert_eq!(case.names(), [""; 0], "{at}");
    }
    // What only the hash tells: a letter of a value.
    let letter =
        rows + whole[rows..].windows(8).position(|bytes| bytes == b"@example").unwrap() + 1;
    let mut altered = whole.clone();
    altered[letter] = b'E';
    fs::write(&dump, altered).unwrap();
    let hash = sha256(&case.dump);
    assert_refused(&case.run(&dump, &["--sha256", &hash]), 1, "has the SHA-256");
    assert_eq!(case.names(), [""; 0]);
}

#[test]
fn what_a_damaged_database_still_had_comes_back_on_request() {
    let case = Case::sample(1);
    let text = fs::read_to_string(&case.dump).unwrap_or_default();
    assert!(!text.is_empty());
    let end = text.rfind("-- partway:end ").unwrap();
    let marked = text[end..].trim_end().replace("partway:end", "partway:incomplete");
    let dump = case.folder.path().join("incomplete.sql");
    fs::write(&dump, format!("{}{marked} damaged=1\n", &text[..end])).unwrap();
    assert_refused(&case.run(&dump, &[]), 1, "add --allow-incomplete");
    assert_eq!(case.names(), [""; 0]);
    let output = case.run(&dump, &["--allow-incomplete"]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("warning: the dump"), "{printed}");
    case.assert_restored();
}

#[test]
fn a_dump_for_d1_comes_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let (file, new) = (folder.path().join("d1.db"), folder.path().join("new.db"));
    drop(database(
        &file,
        "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'a' || char(13, 10)), (2, x'00');",
    ));
    let store = folder.path().to_str().unwrap();
    let export = Program::export(&file, store, folder.path()).with(["--target", "d1"]).succeed();
    let output = Program::restore(export["location"].as_str().unwrap(), &new).run();
    assert!(output.status.success(), "{output:?}");
    let differences = compare(&file, &new).unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}
