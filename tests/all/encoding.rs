//! Compressed and encrypted objects: the programs of others read them, and what is damaged restores nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partway_testbed::{compare, write_sample};
use serde_json::Value;

use crate::support::{Program, Server, assert_sentences, export, garage, program, sha256};

/// A database, its dump, and a pair of keys.
struct Case {
    folder: tempfile::TempDir,
    database: PathBuf,
    dump: PathBuf,
}

/// What the program is asked for, what the object's name ends in, and what reads it, one behind the other.
struct Encoded {
    options: &'static str,
    suffix: &'static str,
    readers: &'static [&'static str],
}

const ZSTD: &str = "zstd --decompress --stdout --quiet";
const GZIP: &str = "gzip --decompress --stdout";
const AGE: &str = "age --decrypt --identity key.txt";

const ENCODINGS: [Encoded; 6] = [
    Encoded { options: "--compress zstd", suffix: ".sql.zst", readers: &[ZSTD] },
    Encoded { options: "--compress zstd:9", suffix: ".sql.zst", readers: &[ZSTD] },
    Encoded { options: "--compress gzip", suffix: ".sql.gz", readers: &[GZIP] },
    Encoded { options: "--recipients-file recipients.txt", suffix: ".sql.age", readers: &[AGE] },
    Encoded {
        options: "--compress zstd --recipients-file recipients.txt",
        suffix: ".sql.zst.age",
        readers: &[AGE, ZSTD],
    },
    Encoded {
        options: "--compress gzip:6 --recipients-file recipients.txt",
        suffix: ".sql.gz.age",
        readers: &[AGE, GZIP],
    },
];

impl Case {
    /// None, and a line that says so, where the programs that read objects are missing.
    fn sample(megabytes: u64) -> Option<Self> {
        if std::env::var_os("PARTWAY_TEST_CODECS").is_none() {
            eprintln!("SKIPPED: it needs zstd, gzip and age; `cargo xtask test` installs them");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("original.db");
        write_sample(&database, megabytes).unwrap();
        for name in ["plain", "store"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let dump = export(&database, &folder.path().join("plain"), 1024 * 1024, || u32::MAX).file;
        let case = Self { folder, database, dump };
        for key in ["key.txt", "other.txt"] {
            assert!(
                case.command("age-keygen", &["--output", key]).output().unwrap().status.success()
            );
        }
        let keys = ["key.txt", "other.txt"].map(|key| {
            let public = case.command("age-keygen", &["-y", key]).output().unwrap();
            String::from_utf8(public.stdout).unwrap()
        });
        fs::write(case.path("recipients.txt"), format!("# who may read it\n{}", keys[0])).unwrap();
        fs::write(case.path("both.txt"), keys.concat()).unwrap();
        Some(case)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// An export to the folder `store`.
    fn export(&self, options: &str) -> Program {
        let mut export = Program::export(&self.database, "store", self.folder.path());
        export.command.args(options.split_whitespace()).current_dir(self.folder.path());
        export
    }

    /// What other programs make of an object.
    fn read(&self, object: &Path, readers: &[&str]) -> Vec<u8> {
        let mut bytes = fs::read(object).unwrap();
        for reader in readers {
            let input = self.path("input");
            fs::write(&input, bytes).unwrap();
            let (program, arguments) = reader.split_once(' ').unwrap();
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let mut command = self.command(program, &arguments);
            let output = command.stdin(fs::File::open(input).unwrap()).output().unwrap();
            assert!(
                output.status.success(),
                "{reader}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            bytes = output.stdout;
        }
        bytes
    }

    fn verify(&self, object: &Path, arguments: &[&str]) -> Output {
        let mut verify = Program::verify(object.to_str().unwrap()).with(arguments.iter().copied());
        verify.command.current_dir(self.folder.path());
        verify.run()
    }

    fn restore(&self, object: &Path, arguments: &[&str]) -> Output {
        let new = self.path("new/new.db");
        fs::remove_dir_all(self.path("new")).ok();
        fs::create_dir(self.path("new")).unwrap();
        let mut restore =
            Program::restore(object.to_str().unwrap(), &new).with(arguments.iter().copied());
        restore.command.current_dir(self.folder.path());
        restore.run()
    }

    #[track_caller]
    fn assert_refused(&self, object: &Path, arguments: &[&str], said: &[&str]) {
        for output in [self.verify(object, arguments), self.restore(object, arguments)] {
            let printed = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{printed}");
            assert!(
                said.iter().any(|said| printed.contains(said)),
                "{said:?} is not in: {printed}"
            );
            assert_sentences(&printed);
        }
        assert_eq!(fs::read_dir(self.path("new")).unwrap().count(), 0, "something was restored");
    }
}

fn location(summary: &Value) -> PathBuf {
    PathBuf::from(summary["location"].as_str().unwrap())
}

#[test]
fn the_programs_of_others_read_every_encoding_and_so_do_verify_and_restore() {
    let Some(case) = Case::sample(6) else { return };
    let dump = fs::read(&case.dump).unwrap();
    for Encoded { options, suffix, readers } in ENCODINGS {
        let summary = case.export(options).with(["--part-size", "100KB"]).succeed();
        let object = location(&summary);
        assert!(object.to_str().unwrap().ends_with(suffix), "{}", object.display());
        assert_eq!(summary["bytes"], fs::metadata(&object).unwrap().len());
        assert_eq!(summary["sha256"], *sha256(&object));
        assert!(case.read(&object, readers) == dump, "{options}");

        let hash = sha256(&object);
        let verified =
            ["--identity", "key.txt", "--sha256", &hash, "--json", "--against", "original.db"];
        let verified = crate::support::summary(&case.verify(&object, &verified));
        assert_eq!(
            (&verified["sha256"], &verified["differences"]),
            (&summary["sha256"], &0.into())
        );
        let restored = case.restore(&object, &["--identity", "key.txt", "--sha256", &hash]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let differences = compare(&case.database, &case.path("new/new.db")).unwrap();
        assert!(differences.is_empty(), "{options}: {differences:?}");
    }
    // To standard output too, and the same bytes.
    for (options, reader) in [("--compress zstd", ZSTD), ("--compress gzip", GZIP)] {
        let mut export = Command::new(program());
        export.arg("export").arg(&case.database).args(options.split_whitespace());
        let output = export.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let object = location(&case.export(options).succeed());
        assert!(output.stdout == fs::read(&object).unwrap(), "{options}");
        assert!(case.read(&object, &[reader]) == dump, "{options}");
    }
    // Any of several recipients reads it.
    let object = location(&case.export("--recipients-file both.txt").succeed());
    for key in ["key.txt", "other.txt"] {
        let reader = format!("age --decrypt --identity {key}");
        assert!(case.read(&object, &[&reader]) == dump, "{key}");
    }
}

#[test]
fn a_damaged_object_or_a_wrong_key_is_named_and_restores_nothing() {
    let Some(case) = Case::sample(3) else { return };
    for Encoded { options, suffix, .. } in
        [&ENCODINGS[0], &ENCODINGS[2], &ENCODINGS[3], &ENCODINGS[4]]
    {
        let object = location(&case.export(options).succeed());
        let bytes = fs::read(&object).unwrap();
        let altered = case.path("altered");
        let write = |bytes: &[u8]| fs::write(&altered, bytes).unwrap();
        let keys = ["--identity", "key.txt"];
        let is_encrypted = suffix.ends_with("age");
        // What age says of its own is of no use to anybody: it is altered or cut off, then.
        let said = [
            if is_encrypted { "it can't be decrypted to its end" } else { "is damaged: " },
            "cut off",
            "its header is damaged",
            "is incomplete",
            "is not a SQL dump",
            "is encrypted to others",
        ];
        // Cut off: in the header, in a block, before the last bytes.
        for length in [1, 3, 20, 40, 200, bytes.len() / 2, bytes.len() - 12, bytes.len() - 1] {
            write(&bytes[..length]);
            case.assert_refused(&altered, &keys, &said);
        }
        // Altered: the magic number, the header, a block, the last block, the end.
        let mut places = vec![0, 5, 30, bytes.len() / 3, bytes.len() - 2];
        if is_encrypted {
            places.extend([100, 200, bytes.len() - 20]);
        } else if *options == "--compress gzip" {
            // The header's time and system, which say nothing about the content.
            places.retain(|place| !(4..10).contains(place));
        }
        for place in places {
            let mut other = bytes.clone();
            other[place] ^= 0x55;
            write(&other);
            case.assert_refused(&altered, &keys, &said);
        }
        write(&[&bytes[..], b"more"].concat());
        let behind = ["behind its end", "is incomplete", said[0]];
        case.assert_refused(&altered, &keys, &behind);
        write(&bytes);
        let wrong = "00".repeat(32);
        case.assert_refused(
            &altered,
            &["--identity", "key.txt", "--sha256", &wrong],
            &["has the SHA-256"],
        );
        if is_encrypted {
            case.assert_refused(
                &altered,
                &[],
                &["is encrypted: give the file with your secret key"],
            );
            case.assert_refused(
                &altered,
                &["--identity", "other.txt"],
                &["is encrypted to others"],
            );
        }
    }
}

#[test]
fn wrong_options_are_named_before_anything_is_written_and_no_secret_is_repeated() {
    let Some(case) = Case::sample(1) else { return };
    let secret = fs::read_to_string(case.path("key.txt")).unwrap();
    let secret = secret.lines().last().unwrap();
    fs::write(case.path("empty.txt"), "# nobody\n").unwrap();
    let cut = &secret[..40];
    for (options, said) in [
        ("--compress lz4", "use zstd, zstd:LEVEL, gzip or gzip:LEVEL"),
        ("--compress zstd:99", "from 1 to 19"),
        ("--encrypt-to age1xyz", "is a damaged public key"),
        ("--encrypt-to somebody", "is not a recipient"),
        ("--encrypt-to ssh-ed25519", "not supported"),
        (&format!("--encrypt-to {secret}"), "this is a secret key"),
        (&format!("--encrypt-to {cut}"), "this is a secret key"),
        ("--recipients-file missing.txt", "missing.txt can't be read"),
        ("--recipients-file empty.txt", "no keys"),
        ("--recipients-file key.txt", "secret key"),
    ] {
        let output = case.export(options).run();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options}: {printed}");
        assert!(printed.contains(said), "{options}: {printed}");
        assert!(!printed.contains(&secret[20..36]), "{printed}");
        assert_sentences(&printed);
    }
    assert_eq!(fs::read_dir(case.path("store")).unwrap().count(), 0);
    let object = location(&case.export("--compress zstd").succeed());
    let output = case.verify(&object, &["--identity", "recipients.txt"]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("recipients.txt holds no usable keys: line 2"), "{printed}");
}

#[test]
fn encoded_objects_go_to_s3_in_parts_and_come_back() {
    let Some(server) = garage() else { return };
    let Some(case) = Case::sample(24) else { return };
    let prefix = server.prefix("encoded");
    let options = ["--recipients-file", "both.txt", "--slice-parts", "2"];
    let mut export = Program::export(&case.database, &prefix, case.folder.path()).with(options);
    export.command.current_dir(case.folder.path());
    let summary = server.with(export).succeed();
    assert!(summary["parts"].as_u64().unwrap() >= 4, "{summary}");
    assert!(summary["slices"].as_u64().unwrap() >= 8, "{summary}");
    let new = case.path("new.db");
    let location = summary["location"].as_str().unwrap();
    let mut restore = Program::restore(location, &new).with(["--identity", "other.txt", "--json"]);
    restore.command.current_dir(case.folder.path());
    let restored = server.with(restore).succeed();
    assert_eq!(restored["sha256"], summary["sha256"]);
    assert!(compare(&case.database, &new).unwrap().is_empty());
}

#[test]
fn the_service_encodes_dumps_as_it_is_set_up_and_asked_to() {
    let Some(case) = Case::sample(2) else { return };
    let dump = fs::read(&case.dump).unwrap();
    let decoded = |body: &[u8], reader: &str| {
        fs::write(case.path("answer"), body).unwrap();
        case.read(&case.path("answer"), &[reader])
    };
    let streaming = Server::start([case.database.to_str().unwrap(), "--compress", "gzip"]);
    let answer = streaming.get("/export/dump");
    assert_eq!(answer.header("content-type"), "application/gzip");
    assert!(answer.header("content-disposition").ends_with(".sql.gz\""));
    assert!(!answer.headers.contains_key("content-encoding"));
    assert!(decoded(&answer.body, GZIP) == dump);
    let plain = streaming.get("/export/dump?compress=none");
    assert_eq!(plain.header("content-type"), "application/sql");
    assert!(plain.body == dump);
    let said = streaming.get("/export/dump?compress=lz4").error(400);
    assert!(said.contains("use zstd"), "{said}");

    let both = case.path("both.txt");
    let encrypting = ["--compress", "zstd", "--recipients-file", both.to_str().unwrap()];
    let served = [case.database.to_str().unwrap()].into_iter().chain(encrypting);
    let server = Server::with_store(case.folder.path(), served);
    let id = server.post("/export/dump", r#"{"compress": "none"}"#).accepted();
    let status = server.until(&id, |status| status["status"] == "done");
    assert!(status["location"].as_str().unwrap().ends_with(".sql.age"), "{status}");
    let answer = server.get(&format!("/export/download/{id}"));
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    // What the service encrypts, no request can have as it is.
    assert!(decoded(&answer.body, AGE) == dump);
}
