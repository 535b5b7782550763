//! The real program, killed at a hundred random instants of one export, to a folder and to a real S3 server; in the long
//! tests at five hundred each, while another process works with the same state folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use base16ct::lower::encode_string as hex;
use partway_store::Store;
use partway_testbed::{Random, write_sample, write_uniform};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{
    GarageServer, Program, contents, export, garage, jobs, runtime, sha256, stored, summary, turn,
};

const KILLS: u32 = 100;

const MANY_KILLS: u32 = 500;

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

/// An export that is to be killed.
struct Victim {
    run: Box<dyn Fn() -> Program>,
    folder: PathBuf,
    database: PathBuf,
    /// Of how many parts its object is.
    total: u64,
    kills: u32,
    /// How long it lives on average, at first.
    first_life: Duration,
}

/// The parts that an unfinished job of a database has saved; none where there is none.
fn saved_parts(folder: &Path, database: &Path) -> Option<u64> {
    saved(folder, database, "totals ->> 'parts'")
}

/// What the file of jobs says of the unfinished job of a database: the program names such a job by whether a process is
/// at work on it.
fn saved<T: FromSql>(folder: &Path, database: &Path, what: &str) -> Option<T> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(folder.join("state/jobs.db"), flags).ok()?;
    let sql = format!("SELECT {what} FROM export_jobs WHERE finished_at IS NULL AND database = ?1");
    connection.query_row(&sql, [database.to_str()?], |row| row.get(0)).ok()
}

/// Kills an export again and again, and then lets it come to its end.
fn kill_often(victim: &Victim) -> (Met, Value) {
    let Victim { run, folder, database, total, kills, first_life } = victim;
    let (total, kills) = (*total, *kills);
    let is_of_database = |job: &Value| job["database"] == database.to_str().unwrap();
    let mut random = Random::new(total);
    let mut met = Met::default();
    let mut parts = 0;
    // How long it lives on average: so long that the kills are spread over the whole export, and do not outlast it.
    let mut life = *first_life;
    loop {
        let mut program = run();
        program.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.command.spawn().unwrap();
        if met.kills == kills {
            return (met, summary(&child.wait_with_output().unwrap()));
        }
        // At a random instant; but before it comes so far that the kills outlast the export.
        let instant =
            Instant::now() + Duration::from_micros(random.below(2 * life.as_micros() as u64));
        let allowed =
            parts + 1 + 3 * (total - parts.min(total)) / u64::from(kills + 10 - met.kills);
        let jitter = Duration::from_micros(random.below(20_000));
        while Instant::now() < instant {
            if saved_parts(folder, database).is_some_and(|saved| saved >= allowed) {
                sleep(jitter);
                break;
            }
            sleep(Duration::from_millis(1));
        }
        assert!(child.try_wait().unwrap().is_none(), "the export had ended behind {met:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        met.kills += 1;
        let Some(job) = jobs(folder).into_iter().find(is_of_database) else {
            met.before += 1;
            continue;
        };
        match saved::<String>(folder, database, "state").as_deref() {
            Some("waiting") => met.beginning += 1,
            Some("running") => met.running += 1,
            Some("completing") => met.completing += 1,
            other => panic!("the job is {other:?}: {job}"),
        }
        let saved = job["parts"].as_u64().unwrap();
        assert!(saved >= parts, "parts that were saved are lost: {job}");
        assert!(job["starts"].as_u64().unwrap() <= 1, "it has begun anew: {job}");
        met.further += u32::from(saved > parts);
        parts = saved;
        let is_ahead = parts * u64::from(kills) > total * u64::from(met.kills) * 9 / 10;
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

fn survives_kills_in_a_folder(
    megabytes: u64,
    kills: u32,
    beside: impl FnOnce(&Path, &mut dyn FnMut()),
) {
    let folder = tempfile::tempdir().unwrap();
    let (file, reference, bytes) = uniform(folder.path(), megabytes);
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let victim = Victim {
        run: {
            let (file, store, folder) = (file.clone(), store.clone(), folder.path().to_owned());
            Box::new(move || {
                let arguments =
                    ["--slice-parts", "3", "--part-size", "16KiB", "--name", "killed.sql"];
                Program::export(&file, store.to_str().unwrap(), &folder).with(arguments)
            })
        },
        folder: folder.path().to_owned(),
        database: file,
        total: bytes / (16 << 10),
        kills,
        first_life: Duration::from_millis(150),
    };
    beside(folder.path(), &mut || {
        let (met, last) = kill_often(&victim);
        println!("{met:?}");
        assert_eq!(last["sha256"], reference.as_str());
        assert_eq!(sha256(&store.join("killed.sql")), reference);
        assert!(met.running > kills / 2 && met.further > kills / 8, "{met:?}");
    });
    // A kill between the beginning of an upload and its being saved leaves one that nobody knows of.
    let prune = Program::jobs(folder.path(), ["prune", "--uploads-older-than", "0s"]).run();
    assert!(prune.status.success());
    assert_eq!(stored(&store).len(), 1, "something hidden is left");
}

fn survives_kills_in_garage(
    garage: GarageServer,
    megabytes: u64,
    kills: u32,
    beside: impl FnOnce(&Path, &mut dyn FnMut()),
) {
    let folder = tempfile::tempdir().unwrap();
    let (file, reference, bytes) = uniform(folder.path(), megabytes);
    let url = garage.prefix("killed");
    let store: Arc<dyn Store> = Arc::new(garage.store(&url));
    let garage = Arc::new(garage);
    let victim = Victim {
        run: {
            let (file, folder) = (file.clone(), folder.path().to_owned());
            let (url, garage) = (url.clone(), garage.clone());
            Box::new(move || {
                let arguments = ["--slice-parts", "1", "--name", "killed.sql"];
                garage.with(Program::export(&file, &url, &folder).with(arguments))
            })
        },
        folder: folder.path().to_owned(),
        database: file,
        total: bytes / (5 << 20),
        kills,
        first_life: Duration::from_millis(700),
    };
    beside(folder.path(), &mut || {
        let (met, last) = kill_often(&victim);
        println!("{met:?}");
        assert_eq!(last["sha256"], reference.as_str());
        // Of few parts not every kill can find one more.
        let least = u64::from(kills / 8).min(victim.total / 2);
        assert!(met.running > kills / 2 && u64::from(met.further) > least, "{met:?}");
    });
    let object = runtime().block_on(contents(&store, "killed.sql")).unwrap();
    assert_eq!(hex(&Sha256::digest(&object)), reference);
    let prune = Program::jobs(folder.path(), ["prune", "--uploads-older-than", "0s"]);
    let prune = garage.with(prune).run();
    assert!(prune.status.success(), "{}", String::from_utf8_lossy(&prune.stderr));
    let left = runtime().block_on(store.incomplete_uploads()).unwrap();
    assert_eq!(left, [], "an upload is left");
}

/// Nothing happens beside the kills.
fn alone(_: &Path, kill: &mut dyn FnMut()) {
    kill();
}

/// Processes export another database, one after the other and with the same state, as long as there are kills. Each comes
/// to a good end.
fn beside_others(folder: &Path, kill: &mut dyn FnMut()) {
    let file = folder.join("other.db");
    write_sample(&file, 2).unwrap();
    let reference = export(&file, folder, 1 << 20, || u32::MAX);
    fs::remove_file(&reference.file).unwrap();
    let store = folder.join("other");
    fs::create_dir(&store).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut exports = 0;
            while !is_over.load(Ordering::Relaxed) {
                let run = Program::export(&file, store.to_str().unwrap(), folder)
                    .with(["--part-size", "64KiB", "--slice-parts", "1", "--pause", "20ms"])
                    .with(["--name", "other.sql"]);
                assert_eq!(run.succeed()["sha256"], reference.finished.sha256.as_str());
                fs::remove_file(store.join("other.sql")).unwrap();
                exports += 1;
            }
            exports
        });
        // Also where this fails, the others have to end.
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(kill));
        is_over.store(true, Ordering::Relaxed);
        let exports = others.join().unwrap();
        println!("{exports} exports of the other database");
        if let Err(panic) = killed {
            std::panic::resume_unwind(panic);
        }
        assert!(exports >= 3, "{exports}");
    });
    assert_eq!(stored(&store).len(), 0, "something hidden is left");
}

#[test]
fn an_export_to_a_folder_survives_a_hundred_kills() {
    survives_kills_in_a_folder(16, KILLS, alone);
}

#[test]
fn an_export_to_a_real_s3_server_survives_a_hundred_kills() {
    let Some(garage) = garage() else { return };
    survives_kills_in_garage(garage, 150, KILLS, alone);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn two_processes_with_one_state_folder_survive_five_hundred_kills() {
    let _turn = turn();
    survives_kills_in_a_folder(64, MANY_KILLS, beside_others);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn two_processes_with_one_state_folder_survive_five_hundred_kills_over_a_real_s3_server() {
    let Some(garage) = garage() else { return };
    let _turn = turn();
    survives_kills_in_garage(garage, 250, MANY_KILLS, beside_others);
}
