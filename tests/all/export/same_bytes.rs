//! Every format in every encoding has the same bytes, in one slice and in many, with more and with fewer threads that
//! encode, and whenever it is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Program, WAIT_LIMIT, database, lz4_codec, program, saved_slices, sha256, summary,
};

const FORMATS: [&str; 6] = ["sql", "csv", "ndjson", "json", "parquet", "sqlite"];

/// How often an export is killed when a slice is safe, before it is killed within one.
const KILLS: u64 = 3;

/// How objects are encoded.
struct Encoding {
    options: &'static [&'static str],
    suffix: &'static str,
    /// The program of others that decodes what it is given a file of.
    reader: &'static [&'static str],
}

const PLAIN: Encoding = Encoding { options: &[], suffix: "", reader: &["cat"] };
const ZSTD: Encoding = Encoding {
    options: &["--compress", "zstd"],
    suffix: ".zst",
    reader: &["zstd", "--decompress", "--stdout", "--quiet"],
};
const GZIP: Encoding = Encoding {
    options: &["--compress", "gzip"],
    suffix: ".gz",
    reader: &["gzip", "--decompress", "--stdout"],
};
const AGE: Encoding = Encoding {
    options: &["--recipients-file", "public"],
    suffix: ".age",
    reader: &["age", "--decrypt", "--identity", "secret"],
};

const LZ4: Encoding = Encoding {
    options: &["--codec", "lz4.wasm", "--compress", "lz4"],
    suffix: ".lz4",
    reader: &["lz4", "--decompress", "--stdout", "--quiet"],
};

/// A database of one table, which each format can take: short rows, and a value that is longer than many parts, and a row
/// group of its own in Parquet. None where the programs are missing that decode objects.
struct Case {
    folder: TempDir,
    file: PathBuf,
}

impl Case {
    fn new() -> Option<Self> {
        if std::env::var_os("PARTWAY_TEST_CODECS").is_none() {
            eprintln!(
                "SKIPPED: it needs zstd, gzip, lz4 and age; `cargo xtask test` installs them"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sample.db");
        drop(database(
            &file,
            "PRAGMA journal_mode=wal; CREATE TABLE one (a INTEGER PRIMARY KEY, b, c);
             WITH i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
             INSERT INTO one SELECT n, hex(randomblob(20)), n % 3 FROM i;
             UPDATE one SET b = randomblob(4300000) WHERE a = 10000;",
        ));
        let case = Self { folder, file };
        let secret = case.command(&["age-keygen", "--output", "secret"]).output().unwrap();
        assert!(secret.status.success());
        let public = case.command(&["age-keygen", "-y", "secret"]).output().unwrap();
        fs::write(case.folder.path().join("public"), public.stdout).unwrap();
        Some(case)
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut program = Command::new(command[0]);
        program.args(&command[1..]).current_dir(self.folder.path());
        program
    }

    /// The format as it is, to standard output.
    fn plain(&self, format: &str) -> Vec<u8> {
        let mut command = Command::new(program());
        let output = command.arg("export").arg(&self.file).args(["--format", format]).output();
        output.unwrap().stdout
    }
}

/// Exports of one format in one encoding.
struct Exports<'a> {
    case: &'a Case,
    format: &'a str,
    encoding: &'a Encoding,
}

/// An object, decoded by others, and the summary of its export.
struct Object {
    decoded: Vec<u8>,
    summary: Value,
}

impl Exports<'_> {
    /// An export with a state and a store of its own.
    fn program(&self, folder: &Path, slices: &[&str]) -> Program {
        let store = folder.join("store");
        fs::create_dir_all(&store).unwrap();
        let mut export = Program::export(&self.case.file, store.to_str().unwrap(), folder)
            .with(["--format", self.format])
            .with(self.encoding.options.iter().chain(slices).copied());
        export.command.current_dir(self.case.folder.path());
        export
    }

    fn object(&self, output: &Output) -> Object {
        let summary = summary(output);
        let file = Path::new(summary["location"].as_str().unwrap());
        assert_eq!(summary["sha256"], sha256(file).as_str());
        let (name, suffix) = (file.file_name().unwrap().to_str().unwrap(), self.encoding.suffix);
        let is_named =
            name.starts_with("dump_") && name.ends_with(&format!(".{}{suffix}", self.format));
        assert!(is_named, "{name}");
        let mut reader = self.case.command(self.encoding.reader);
        let decoded = reader.stdin(fs::File::open(file).unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&decoded.stderr);
        assert!(decoded.status.success(), "{:?}: {said}", self.encoding.reader);
        Object { decoded: decoded.stdout, summary }
    }

    fn in_one_slice(&self) -> Object {
        let folder = tempfile::tempdir().unwrap();
        let object = self.object(&self.program(folder.path(), &[]).run());
        // In Parquet, the first slice looks at the rows.
        let slices = if self.format == "parquet" { 2 } else { 1 };
        assert_eq!(object.summary["slices"], slices);
        object
    }

    /// On one processor, where it has other threads.
    fn in_many_slices(&self) -> Object {
        let folder = tempfile::tempdir().unwrap();
        let export = self.program(folder.path(), &["--slice-parts", "1", "--part-size", "256KiB"]);
        let object = self.object(&on_one_processor(export).run());
        assert!(object.summary["slices"].as_u64().unwrap() > 5, "{}", object.summary);
        object
    }

    /// Killed when a slice is safe, and in the end within one.
    fn killed(&self) -> Object {
        let folder = tempfile::tempdir().unwrap();
        let slices = ["--slice-parts", "1", "--part-size", "512KiB"];
        for kill in 0..=KILLS {
            let pause = if kill < KILLS { "60s" } else { "0s" };
            let mut program = self.program(folder.path(), &slices).with(["--pause", pause]);
            let command = program.command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let before = saved_slices(folder.path());
            let mut child = command.spawn().unwrap();
            let began = Instant::now();
            while child.try_wait().unwrap().is_none() && saved_slices(folder.path()) <= before {
                assert!(began.elapsed() < WAIT_LIMIT, "no slice was saved");
                sleep(Duration::from_millis(1));
            }
            if child.try_wait().unwrap().is_some() {
                assert_eq!(kill, KILLS, "it has ended before it was killed");
                return self.object(&child.wait_with_output().unwrap());
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.object(&self.program(folder.path(), &slices).run())
    }

    fn are_the_same(&self) {
        let plain = self.case.plain(self.format);
        assert!(plain.len() > 4_300_000, "{}", self.format);
        let whole = self.in_one_slice();
        for (how, other) in [("sliced", self.in_many_slices()), ("killed", self.killed())] {
            let what = format!("{} {:?} {how}", self.format, self.encoding.options);
            assert!(other.decoded == plain, "{what}");
            // Each has another secret key inside.
            if self.encoding.reader[0] != "age" {
                assert_eq!(other.summary["sha256"], whole.summary["sha256"], "{what}");
            }
        }
        assert!(whole.decoded == plain, "{} {:?}", self.format, self.encoding.options);
    }
}

/// Holds a program to one of the processors that it may use.
fn on_one_processor(program: Program) -> Program {
    if !cfg!(target_os = "linux") {
        return program;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = allowed.unwrap().trim().split([',', '-']).next().unwrap();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", first]).arg(program.command.get_program());
    command.args(program.command.get_args());
    if let Some(folder) = program.command.get_current_dir() {
        command.current_dir(folder);
    }
    Program { command }
}

fn every_format_is_the_same(encoding: &Encoding) {
    let Some(case) = Case::new() else { return };
    for format in FORMATS {
        Exports { case: &case, format, encoding }.are_the_same();
    }
}

#[test]
fn every_format_is_the_same_however_it_is_sliced_and_killed() {
    every_format_is_the_same(&PLAIN);
}

#[test]
fn every_format_is_the_same_in_zstd() {
    every_format_is_the_same(&ZSTD);
}

#[test]
fn every_format_is_the_same_in_gzip() {
    every_format_is_the_same(&GZIP);
}

#[test]
fn every_format_is_the_same_by_a_codec_component() {
    let Some(case) = Case::new() else { return };
    fs::write(case.folder.path().join("lz4.wasm"), lz4_codec()).unwrap();
    for format in FORMATS {
        Exports { case: &case, format, encoding: &LZ4 }.are_the_same();
    }
}

#[test]
fn every_format_is_the_same_encrypted() {
    every_format_is_the_same(&AGE);
}
