//! The look at a table's rows, by which the types of a Parquet file are chosen, in slices of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_jobs::{Job, skip_damaged};
use partway_sqlite::Snapshot;
use partway_store::{FolderStore, Store};
use partway_testbed::Random;
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::{Budget, Exporter, Options};
use partway_wasmtime::pacing::Pacing;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::support::{
    Never, Program, WAIT_LIMIT, damage, database, of_many_pages, program, runtime, sha256,
};

/// Ends every slice as soon as it may.
struct AtOnce;

impl Pacing for AtOnce {
    fn should_yield(&self) -> bool {
        true
    }
}

/// How far an export was after each slice: the share that is told, and the parts.
type Told = Vec<(f64, u32)>;

/// Exports the one table with slices of this pace, each as in another process. The object, and what was told.
fn export<P: Pacing + 'static>(
    file: &Path,
    options: &Options,
    pacing: fn() -> P,
) -> (Vec<u8>, Told) {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
    let exporter = Exporter::prebuilt_for("parquet").unwrap();
    let mut told = Vec::new();
    let options = options.clone();
    let finished = runtime().block_on(async {
        let snapshot = Snapshot::hold(file).unwrap();
        let expected = snapshot.expected(&[]);
        let mut job = Job::begin(&exporter, &snapshot, &store, "x", options).await.unwrap();
        while !job.is_ended() {
            let counters = Arc::new(Counters::default());
            let budget = Budget { parts: u32::MAX };
            job.slice(&exporter, &snapshot, &store, pacing(), budget, &counters).await.unwrap();
            let saved = serde_json::to_string(&job).unwrap();
            job = serde_json::from_str(&saved).unwrap();
            let share = expected.share(job.totals.work_done()).unwrap();
            told.push((share, job.totals.parts));
        }
        job.complete(&store).await.unwrap()
    });
    (fs::read(folder.path().join(finished.name)).unwrap(), told)
}

fn in_slices(file: &Path, options: &Options) -> (Vec<u8>, Told) {
    let (whole, told) = export(file, options, || Never);
    // The look, and the rows.
    assert_eq!(told.len(), 2);
    let (sliced, told) = export(file, options, || AtOnce);
    assert!(whole == sliced);
    (whole, told)
}

/// A table of which only the last row tells the type of a column.
fn misleading(rows: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    drop(database(
        &file,
        &format!(
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b, c);
             WITH i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < {rows})
             INSERT INTO t SELECT n, iif(n < {rows}, n, 'last'), printf('%.*c', 20 + n % 60, 'x') FROM i;"
        ),
    ));
    (folder, file)
}

#[test]
fn a_look_is_sliced_as_finely_as_the_host_wants_and_changes_nothing() {
    let (_folder, file) = misleading(200_000);
    let (object, told) = in_slices(&file, &Options::new("parquet", 64 * 1024));
    assert!(object.starts_with(b"PAR1"));
    let look = told.iter().take_while(|(_, parts)| *parts == 0).count();
    println!("{look} of {} slices look", told.len());
    assert!(look > 30 && look < told.len(), "{told:?}");
    // Progress goes on all the time, and the look is half of it.
    assert!(told.is_sorted_by(|(a, _), (b, _)| a <= b), "{told:?}");
    // (The last slice of the look finds no more rows.)
    assert!(told[..look - 1].is_sorted_by(|(a, _), (b, _)| a < b), "{told:?}");
    let (share, _) = told[look - 1];
    assert!((0.4..0.6).contains(&share), "{share}");
    assert!(told[told.len() - 1].0 > 0.9, "{told:?}");
}

#[test]
fn a_sliced_look_sees_what_is_behind_damage_and_no_more_than_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let mut options = Options::new("parquet", 4096);
    options.settings = vec![skip_damaged()];
    let (_, told) = in_slices(&file, &options);
    assert!(told.iter().filter(|(_, parts)| *parts == 0).count() > 2, "{told:?}");

    // The text is behind the limit: the column is one of integers.
    let (_folder, file) = misleading(50_000);
    let mut options = Options::new("parquet", 64 * 1024);
    options.settings = vec![("limit".to_owned(), "49999".to_owned())];
    let (limited, told) = in_slices(&file, &options);
    assert!(told.iter().filter(|(_, parts)| *parts == 0).count() > 5, "{told:?}");
    Connection::open(&file).unwrap().execute("DELETE FROM t WHERE a = 50000", []).unwrap();
    assert!(in_slices(&file, &Options::new("parquet", 64 * 1024)).0 == limited);
}

#[test]
fn an_export_killed_during_its_look_looks_on_where_it_was() {
    let (folder, file) = misleading(300_000);
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let export = || {
        Program::export(&file, store.to_str().unwrap(), folder.path()).with([
            "--format",
            "parquet",
            "--slice-time",
            "1ms",
            "--name",
            "x.parquet",
        ])
    };
    let mut random = Random::new(5);
    let mut seen = 0;
    for _ in 0..4 {
        let mut run = export().with(["--pause", "5ms"]);
        let mut child = run.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wanted = seen + 1 + random.below(20_000);
        let began = Instant::now();
        while looked_at(folder.path()) < wanted {
            assert!(began.elapsed() < WAIT_LIMIT, "it looks no further");
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let now = looked_at(folder.path());
        assert!(now >= wanted, "{now} {wanted}");
        seen = now;
    }
    assert!(seen < 300_000, "the look was over before it was killed");
    let done = export().succeed();
    println!("killed after {seen} rows; {} slices, {} parts", done["slices"], done["parts"]);
    let mut whole = Command::new(program());
    let whole =
        whole.arg("export").arg(&file).args(["--format", "parquet", "--slice-time", "1h"]).output();
    let object = store.join("x.parquet");
    assert!(fs::read(&object).unwrap() == whole.unwrap().stdout);
    assert_eq!(done["sha256"], sha256(&object).as_str());
}

/// How many rows the saved look of the only job has seen.
fn looked_at(folder: &Path) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let saved = Connection::open_with_flags(folder.join("state/jobs.db"), flags).and_then(|jobs| {
        let sql = "SELECT checkpoint ->> '$.look.rows' FROM export_jobs";
        jobs.query_row(sql, [], |row| row.get::<_, Option<u64>>(0))
    });
    saved.ok().flatten().unwrap_or(0)
}
