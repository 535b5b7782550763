//! `--codec FILE`: what compresses an object is somebody else's, and the object is as safe as others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partway_testbed::write_sample;
use serde_json::Value;

use crate::support::{
    Program, Server, hostile_codec, jobs, lz4_codec, program, sha256, summary, wait_for_parts,
};

/// A database, and codecs beside it. None where the program is missing that decompresses LZ4.
struct Case {
    folder: tempfile::TempDir,
    database: PathBuf,
    codec: PathBuf,
}

impl Case {
    fn new(megabytes: u64) -> Option<Self> {
        if std::env::var_os("PARTWAY_TEST_CODECS").is_none() {
            eprintln!("SKIPPED: it needs lz4; `cargo xtask test` installs it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("sample.db");
        write_sample(&database, megabytes).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        let codec = folder.path().join("codec.wasm");
        fs::write(&codec, lz4_codec()).unwrap();
        Some(Self { folder, database, codec })
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn export(&self, compression: &str) -> Program {
        Program::export(&self.database, self.store().to_str().unwrap(), self.folder.path()).with([
            "--codec",
            self.codec.to_str().unwrap(),
            "--compress",
            compression,
        ])
    }

    fn plain(&self) -> Vec<u8> {
        Command::new(program()).arg("export").arg(&self.database).output().unwrap().stdout
    }

    fn stored(&self) -> usize {
        fs::read_dir(self.store()).unwrap().count()
    }
}

fn decompressed(object: &Path) -> Vec<u8> {
    let output = Command::new("lz4").args(["-d", "-c", "-q"]).arg(object).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn location(summary: &Value) -> PathBuf {
    summary["location"].as_str().unwrap().into()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_object_by_a_codec_component_is_verified_by_its_manifest_and_by_no_other_reader() {
    let Some(case) = Case::new(3) else { return };
    let summary = case.export("lz4").with(["--name", "a.sql.lz4"]).succeed();
    let object = location(&summary);
    assert!(decompressed(&object) == case.plain());
    let manifest = fs::read_to_string(case.store().join("a.sql.lz4.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["object"]["compression"], "lz4");
    assert_eq!(manifest["object"]["codec_sha256"], sha256(&case.codec).as_str());
    assert_eq!(manifest["contents"]["bytes"], case.plain().len());

    let verified = Program::verify(object.to_str().unwrap()).run();
    assert!(verified.status.success(), "{}", said(&verified));
    assert!(
        said(&verified).contains("as lz4: what is in it was not checked"),
        "{}",
        said(&verified)
    );
    assert!(
        said(&verified).contains("it is what its manifest says: 1 part\n"),
        "{}",
        said(&verified)
    );
    let new = case.folder.path().join("new.db");
    let restored = Program::restore(object.to_str().unwrap(), &new).run();
    assert!(!restored.status.success() && !new.exists());
    assert!(
        said(&restored).contains("is compressed by a codec component, as lz4: decompress it first"),
        "{}",
        said(&restored)
    );

    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    let verified = Program::verify(object.to_str().unwrap()).run();
    assert!(!verified.status.success());
    assert!(
        said(&verified).contains("is not what its manifest says in part"),
        "{}",
        said(&verified)
    );
}

#[test]
fn standard_output_and_the_service_compress_by_a_codec_component_too() {
    let Some(case) = Case::new(2) else { return };
    let codec = case.codec.to_str().unwrap();
    let mut command = Command::new(program());
    command.arg("export").arg(&case.database).args(["--codec", codec, "--compress", "lz4"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let file = case.folder.path().join("streamed");
    fs::write(&file, &output.stdout).unwrap();
    assert!(decompressed(&file) == case.plain());

    let options = [case.database.to_str().unwrap(), "--codec", codec, "--compress", "lz4"];
    for server in [Server::with_store(case.folder.path(), options), Server::start(options)] {
        let response = server.get("/export/dump");
        assert_eq!(response.headers["content-type"], "application/x-lz4");
        assert!(response.body == output.stdout, "the same object");
        // Who asks for what is inside the program gets that.
        let response = server.get("/export/dump?compress=gzip");
        assert_eq!(response.headers["content-type"], "application/gzip");
    }
}

#[test]
fn an_export_whose_codec_is_replaced_starts_over() {
    let Some(case) = Case::new(12) else { return };
    let folder = case.folder.path();
    let slices = ["--name", "a.sql.lz4", "--slice-parts", "1", "--part-size", "256KiB"];
    let interrupted = || {
        let mut program = case.export("lz4").with(slices).with(["--pause", "60s"]);
        let mut child = program.command.spawn().unwrap();
        wait_for_parts(folder, 1);
        child.kill().unwrap();
        child.wait().unwrap();
    };
    interrupted();
    let job = jobs(folder)[0]["job"].as_str().unwrap().to_owned();
    // A file that is gone may come back.
    fs::remove_file(&case.codec).unwrap();
    let resumed = Program::jobs(folder, ["resume", &job]).run();
    assert!(!resumed.status.success());
    assert!(said(&resumed).contains("can't be used: it does not exist"), "{}", said(&resumed));
    assert_eq!(jobs(folder)[0]["state"], "interrupted");
    // The same code, and other bytes: a section without a meaning behind it.
    let other = [lz4_codec(), &[0, 2, 1, b'x']].concat();
    fs::write(&case.codec, &other).unwrap();
    let resumed = Program::jobs(folder, ["resume", &job]).run();
    assert!(!resumed.status.success());
    assert!(
        said(&resumed).contains("is another one than the export was started with"),
        "{}",
        said(&resumed)
    );
    assert_eq!(case.stored(), 0, "the failed export leaves nothing");

    interrupted();
    fs::write(&case.codec, lz4_codec()).unwrap();
    let again = case.export("lz4").with(slices).run();
    assert!(said(&again).contains("starting over"), "{}", said(&again));
    let object = location(&summary(&again));
    assert!(decompressed(&object) == case.plain());
    assert_eq!(case.stored(), 2, "the object and its manifest");
}

#[test]
fn a_codec_that_can_t_be_used_is_named_with_what_it_says() {
    let Some(mut case) = Case::new(1) else { return };
    for (compression, expected) in [
        ("zstd", "\"zstd\" is not a compression: this codec knows lz4"),
        ("lz4:9", "lz4 has no level here: leave it out"),
    ] {
        let output = case.export(compression).run();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    let alone = Program::export(&case.database, case.store().to_str().unwrap(), case.folder.path())
        .with(["--codec", case.codec.to_str().unwrap()])
        .run();
    assert_eq!(alone.status.code(), Some(2));
    let unknown =
        Program::export(&case.database, case.store().to_str().unwrap(), case.folder.path())
            .with(["--compress", "lz4"])
            .run();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains("--compress: \"lz4\" is not a compression: use zstd"));

    case.codec = case.folder.path().join("missing.wasm");
    let missing = case.export("lz4").run();
    assert!(!missing.status.success() && said(&missing).contains("missing.wasm"));
    fs::write(&case.codec, "no component").unwrap();
    let other = case.export("lz4").run();
    assert!(!other.status.success() && said(&other).contains("missing.wasm"), "{}", said(&other));

    fs::write(&case.codec, hostile_codec()).unwrap();
    for (compression, expected) in [
        ("crash", "crashed"),
        ("too-long", "broke the contract"),
        ("memory", "needs more than its"),
        ("fail", "the codec failed: no"),
        ("suffix", "broke the contract: its suffix"),
    ] {
        let output = case.export(compression).run();
        assert_eq!(output.status.code(), Some(1), "{compression}: {}", said(&output));
        assert!(said(&output).contains(expected), "{compression}: {}", said(&output));
    }
    assert_eq!(case.stored(), 0);
}
