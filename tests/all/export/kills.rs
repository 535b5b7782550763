//! The real program, killed at a hundred random instants of one export, to a folder and to a real S3 server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base16ct::lower::encode_string as hex;
use partway_store::Store;
use partway_testbed::{Random, write_uniform};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{
    Program, contents, export, garage, jobs, runtime, saved_parts, sha256, summary,
};

const KILLS: u32 = 100;

/// What the kills have met.
#[derive(Debug, Default)]
struct Met {
    kills: u32,
    /// Before there was a job.
    before: u32,
    /// With a job, but no upload yet that it knew of.
    beginning: u32,
    running: u32,
    completing: u32,
    /// After which it was further than after the one before.
    further: u32,
}

/// Kills an export of so many parts, again and again, and then lets it come to its end.
fn kill_often(
    run: impl Fn() -> Program,
    folder: &Path,
    total: u64,
    first_life: Duration,
) -> (Met, Value) {
    let mut random = Random::new(total);
    let mut met = Met::default();
    let mut parts = 0;
    // How long it lives on average: so long that the kills are spread over the whole export, and do not outlast it.
    let mut life = first_life;
    loop {
        let mut program = run();
        program.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.command.spawn().unwrap();
        if met.kills == KILLS {
            return (met, summary(&child.wait_with_output().unwrap()));
        }
        // At a random instant; but before it comes so far that the kills outlast the export.
        let instant =
            Instant::now() + Duration::from_micros(random.below(2 * life.as_micros() as u64));
        let allowed =
            parts + 1 + 3 * (total - parts.min(total)) / u64::from(KILLS + 10 - met.kills);
        let jitter = Duration::from_micros(random.below(20_000));
        while Instant::now() < instant {
            if saved_parts(folder).is_some_and(|saved| saved >= allowed) {
                sleep(jitter);
                break;
            }
            sleep(Duration::from_millis(1));
        }
        assert!(child.try_wait().unwrap().is_none(), "the export had ended behind {met:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        met.kills += 1;
        let Some(job) = jobs(folder).pop() else {
            met.before += 1;
            continue;
        };
        match job["state"].as_str().unwrap() {
            "waiting" => met.beginning += 1,
            "running" => met.running += 1,
            "completing" => met.completing += 1,
            other => panic!("the job is {other}: {job}"),
        }
        let saved = job["parts"].as_u64().unwrap();
        assert!(saved >= parts, "parts that were saved are lost: {job}");
        assert!(job["starts"].as_u64().unwrap() <= 1, "it has begun anew: {job}");
        met.further += u32::from(saved > parts);
        parts = saved;
        let is_ahead = parts * u64::from(KILLS) > total * u64::from(met.kills) * 9 / 10;
        life = if is_ahead { life * 9 / 10 } else { life * 10 / 9 };
    }
}

/// A database, with the SHA-256 and the size of its dump.
fn uniform(folder: &Path, megabytes: u64) -> (PathBuf, String, u64) {
    let file = folder.join("uniform.db");
    write_uniform(&file, megabytes).unwrap();
    let reference = export(&file, folder, 1 << 20, || u32::MAX);
    fs::remove_file(&reference.file).unwrap();
    (file, reference.finished.sha256, reference.finished.totals.bytes)
}

#[test]
fn an_export_to_a_folder_survives_a_hundred_kills() {
    let folder = tempfile::tempdir().unwrap();
    let (file, reference, bytes) = uniform(folder.path(), 16);
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let run = || {
        let arguments = ["--slice-parts", "3", "--part-size", "16KiB", "--name", "killed.sql"];
        Program::export(&file, store.to_str().unwrap(), folder.path()).with(arguments)
    };
    let (met, last) =
        kill_often(run, folder.path(), bytes / (16 << 10), Duration::from_millis(150));
    println!("{met:?}");
    assert_eq!(last["sha256"], reference.as_str());
    assert_eq!(sha256(&store.join("killed.sql")), reference);
    assert!(met.running > KILLS / 2 && met.further > KILLS / 8, "{met:?}");
    // A kill between the beginning of an upload and its being saved leaves one that nobody knows of.
    let prune = Program::jobs(folder.path(), ["prune", "--uploads-older-than", "0s"]).run();
    assert!(prune.status.success());
    assert_eq!(fs::read_dir(&store).unwrap().count(), 1, "something hidden is left");
}

#[test]
fn an_export_to_a_real_s3_server_survives_a_hundred_kills() {
    let Some(garage) = garage() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, reference, bytes) = uniform(folder.path(), 150);
    let url = garage.prefix("killed");
    let run = || {
        let arguments = ["--slice-parts", "1", "--name", "killed.sql"];
        garage.with(Program::export(&file, &url, folder.path()).with(arguments))
    };
    let (met, last) = kill_often(run, folder.path(), bytes / (5 << 20), Duration::from_millis(700));
    println!("{met:?}");
    assert_eq!(last["sha256"], reference.as_str());
    assert!(met.running > KILLS / 2 && met.further > KILLS / 8, "{met:?}");

    let store: Arc<dyn Store> = Arc::new(garage.store(&url));
    let object = runtime().block_on(contents(&store, "killed.sql")).unwrap();
    assert_eq!(hex(&Sha256::digest(&object)), reference);
    let prune = Program::jobs(folder.path(), ["prune", "--uploads-older-than", "0s"]);
    let prune = garage.with(prune).run();
    assert!(prune.status.success(), "{}", String::from_utf8_lossy(&prune.stderr));
    let left = runtime().block_on(store.incomplete_uploads()).unwrap();
    assert_eq!(left, [], "an upload is left");
}
