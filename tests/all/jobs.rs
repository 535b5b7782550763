//! Exports as jobs: listed, cancelled, resumed, pruned, and never run twice at a time.

#[cfg(unix)]
mod lost_state;
mod objects;
#[cfg(unix)]
mod privacy;
mod simulation;
mod timer;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::write_sample;
use rusqlite::Connection;

use crate::support::{
    Program, WAIT_LIMIT, assert_sentences, damage, database, export, jobs, of_many_pages,
    saved_parts, sha256, signal, stored, summary, wait_for_parts,
};

struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: PathBuf,
    reference: String,
}

impl Case {
    /// A sample that takes some seconds in small slices.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As on a disk of its own.
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let file = disk.join("sample.db");
        write_sample(&file, 8).unwrap();
        let reference = export(&file, folder.path(), 1024 * 1024, || u32::MAX).finished.sha256;
        let store = folder.path().join("store");
        fs::create_dir(&store).unwrap();
        Self { folder, file, store, reference }
    }

    fn export(&self) -> Program {
        Program::export(&self.file, self.store.to_str().unwrap(), self.folder.path()).with([
            "--slice-parts",
            "1",
            "--part-size",
            "32KiB",
        ])
    }

    fn jobs<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        Program::jobs(self.folder.path(), arguments).run()
    }

    /// An export that has saved some parts, and runs on.
    fn started(&self, run: Program) -> Child {
        let mut run = run;
        let child = run.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_parts(self.folder.path(), 3);
        child
    }

    fn killed(&self) {
        let mut child = self.started(self.export().with(["--pause", "5ms"]));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it had ended before it was killed");
    }

    /// The id and the state of the newest job.
    fn job(&self) -> (String, String) {
        let job = jobs(self.folder.path()).remove(0);
        (job["job"].as_str().unwrap().to_owned(), job["state"].as_str().unwrap().to_owned())
    }

    /// Everything in the store, hidden or not.
    fn stored(&self) -> Vec<String> {
        stored(&self.store)
    }

    fn in_state(&self, sql: &str) {
        let connection = Connection::open(self.folder.path().join("state/jobs.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn listed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn touch(path: &Path, time: &str) {
    let status = Command::new("touch").args(["-d", time]).arg(path).status();
    assert!(status.unwrap().success());
}

#[track_caller]
fn failed(output: &Output, code: i32, expected: &str) {
    let printed = printed(output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    assert_eq!(printed.matches(expected).count(), 1, "{printed}");
    assert_sentences(&printed);
}

#[test]
fn a_killed_export_is_listed_and_gone_on_with_by_its_id() {
    let case = Case::new();
    case.killed();
    let list = listed(&case.jobs(["list"]));
    assert!(list.contains("interrupted") && list.contains("sample.db"), "{list}");
    let (id, state) = case.job();
    assert_eq!(state, "interrupted");
    let progress = jobs(case.folder.path())[0]["progress"].as_f64().unwrap();
    assert!(progress > 0.0 && progress < 1.0, "{progress}");

    let output = case.jobs(["resume", &id[..6], "--json"]);
    assert!(printed(&output).contains("resuming"), "{}", printed(&output));
    let summary = summary(&output);
    assert_eq!(summary["sha256"], case.reference.as_str());
    assert_eq!(sha256(Path::new(summary["location"].as_str().unwrap())), case.reference);
    assert_eq!(case.stored().len(), 1);

    let show = listed(&case.jobs(["show", &id]));
    assert!(show.contains("done") && show.contains(&case.reference), "{show}");
    // It holds what it holds: nothing is expected any more.
    for (what, key) in [("tables", "tables"), ("rows", "rows")] {
        let line = show.lines().find(|line| line.starts_with(what)).unwrap();
        assert_eq!(line.split_whitespace().nth(1).unwrap(), summary[key].to_string(), "{line}");
        assert_eq!(line.split_whitespace().count(), 2, "{line}");
    }
    let job = jobs(case.folder.path()).remove(0);
    assert_eq!((&job["tables"], &job["rows"]), (&job["tables_expected"], &job["rows_expected"]));
    assert_eq!(job["progress"], 1.0);
    // Once done, resuming only tells of it.
    assert_eq!(self::summary(&case.jobs(["resume", &id, "--json"])), summary);
    assert_eq!(case.stored().len(), 1);
}

#[test]
fn all_that_nobody_runs_is_gone_on_with_at_once() {
    let case = Case::new();
    case.killed();
    let other = case.folder.path().join("other.db");
    drop(database(&other, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    case.in_state(&format!(
        "INSERT INTO export_jobs (id, state, database, store, name, options, wake_at, created_at, moved_at) \
         SELECT 'ffffffffffffffff', 'waiting', '{0}', store, 'other.sql', \
             json_set(options, '$.database', '{0}', '$.name', 'other.sql'), 0, 0, 0 FROM export_jobs",
        other.display()
    ));
    let output = case.jobs(["resume", "--json"]);
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(listed(&output).lines().count(), 2);
    assert_eq!(case.stored().len(), 2);
    assert!(printed(&case.jobs(["resume"])).contains("nothing to resume"));
}

#[test]
fn an_interrupted_export_prints_the_command_that_goes_on() {
    let case = Case::new();
    let child = case.started(case.export());
    signal(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    let (id, _) = case.job();
    failed(&output, 130, &format!("partway jobs resume {id} --state "));
    assert!(jobs(case.folder.path())[0]["running"] == false);
    // Its words, typed as they are.
    let text = printed(&output);
    let command = text.split("partway jobs ").nth(1).unwrap().trim();
    let words: Vec<&str> = command.split_whitespace().collect();
    let output = Command::new(crate::support::program()).arg("jobs").args(words).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(sha256(Path::new(listed(&output).trim())), case.reference);
}

#[test]
fn a_pause_between_slices_is_kept_and_ends_at_a_signal() {
    let case = Case::new();
    let paused = |pause| case.export().with(["--pause", pause]);
    let child = case.started(paused("100ms"));
    let (before, began) = (saved_parts(case.folder.path()).unwrap(), Instant::now());
    wait_for_parts(case.folder.path(), before + 5);
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    signal(&child, "-TERM");
    failed(&child.wait_with_output().unwrap(), 130, "interrupted after");

    let child = paused("1h").command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for_parts(case.folder.path(), saved_parts(case.folder.path()).unwrap() + 1);
    sleep(Duration::from_millis(100));
    let began = Instant::now();
    signal(&child, "-TERM");
    failed(&child.wait_with_output().unwrap(), 130, "interrupted after");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_running_export_is_cancelled_and_leaves_nothing() {
    let case = Case::new();
    let child = case.started(case.export().with(["--pause", "50ms"]));
    let (id, _) = case.job();
    let output = case.jobs(["cancel", &id]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(printed(&output).contains("is cancelled"), "{}", printed(&output));
    failed(&child.wait_with_output().unwrap(), 1, "was cancelled: nothing is left");
    assert_eq!(case.stored(), [] as [String; 0]);
    assert_eq!(case.job().1, "cancelled");
    assert!(printed(&case.jobs(["cancel", &id])).contains("is already cancelled"));
}

#[test]
fn a_dead_export_is_cancelled_and_can_begin_anew() {
    let case = Case::new();
    case.killed();
    let (id, _) = case.job();
    assert!(case.jobs(["cancel", &id]).status.success());
    assert_eq!(case.stored(), [] as [String; 0]);
    let summary = summary(&case.jobs(["resume", &id, "--json"]));
    assert_eq!(summary["sha256"], case.reference.as_str());
}

#[test]
fn one_export_at_a_time_unless_asked_otherwise() {
    let case = Case::new();
    let mut child = case.started(case.export().with(["--pause", "20ms"]));
    let (id, _) = case.job();
    failed(&case.export().run(), 1, &format!("by another process, as job {id}"));
    // Under another name too: it is the same work twice.
    failed(&case.export().with(["--name", "b.sql"]).run(), 1, &format!("as job {id}"));
    let second = case.export().with(["--concurrent"]).succeed();
    assert_eq!(second["sha256"], case.reference.as_str());
    assert!(child.try_wait().unwrap().is_none(), "the first had ended before");
    failed(&case.jobs(["resume", &id]), 1, "by another process");
    child.kill().unwrap();
    child.wait().unwrap();
    // At once: nobody waits for a lease of the dead.
    let first = summary(&case.jobs(["resume", &id, "--json"]));
    assert_eq!(first["sha256"], case.reference.as_str());
    assert_ne!(first["location"], second["location"]);
}

#[test]
fn a_failure_is_tried_again_and_then_kept_with_its_reason() {
    let case = Case::new();
    let aside = case.folder.path().join("aside");
    let child = case.started(case.export().with(["--pause", "20ms"]));
    fs::rename(&case.store, &aside).unwrap();
    let began = Instant::now();
    while jobs(case.folder.path())[0]["attempts"] == 0 {
        assert!(began.elapsed() < WAIT_LIMIT);
    }
    fs::rename(&aside, &case.store).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let text = printed(&output);
    let retry = "does not exist: create it first; trying again in 2 s (1 of 6)";
    assert_eq!(text.matches(retry).count(), 1, "{text}");
    assert_sentences(&text);
    assert_eq!(summary(&output)["sha256"], case.reference.as_str());

    let child = case.started(case.export().with(["--pause", "20ms", "--retries", "0"]));
    fs::rename(&case.store, &aside).unwrap();
    let output = child.wait_with_output().unwrap();
    failed(
        &output,
        1,
        &format!("partway: {} does not exist: create it first", case.store.display()),
    );
    failed(&output, 1, "could not be deleted");
    failed(&output, 1, "partway jobs prune deletes it later");
    let job = jobs(case.folder.path()).remove(0);
    assert_eq!(job["state"], "failed");
    assert!(job["error"].as_str().unwrap().contains("does not exist"), "{job}");
    fs::rename(&aside, &case.store).unwrap();
    // It could not be thrown away: that is for pruning.
    assert_eq!(case.stored().len(), 2);
    assert!(case.jobs(["prune", "--uploads-older-than", "0s"]).status.success());
    assert_eq!(case.stored().len(), 1);
}

#[test]
fn pruning_forgets_what_is_finished_and_throws_away_what_nobody_owns() {
    let case = Case::new();
    case.export().succeed();
    case.killed();
    let orphan = |name: &str, hours: u32| {
        let path = case.store.join(name);
        fs::write(&path, "part").unwrap();
        touch(&path, &format!("{hours} hours ago"));
    };
    orphan(".old.sql.abc123.partway", 25);
    orphan(".young.sql.abc124.partway", 23);
    let mine = case.stored().into_iter().find(|name| name.starts_with(".dump_")).unwrap();
    // Old as it is, it is a job's.
    touch(&case.store.join(&mine), "9 days ago");
    fs::write(case.folder.path().join("state/copy-0123456789abcdef.db"), "").unwrap();

    let dry = case.jobs(["prune", "--dry-run"]);
    assert!(printed(&dry).contains("would forget 1 finished job"), "{}", printed(&dry));
    assert_eq!((case.stored().len(), jobs(case.folder.path()).len()), (4, 2));
    let kept = case.jobs(["prune", "--finished-for", "1h", "--uploads-older-than", "48h"]);
    assert!(printed(&kept).contains("forgot 0 finished jobs, deleted 0"), "{}", printed(&kept));

    let output = case.jobs(["prune", "--json"]);
    assert!(output.status.success(), "{}", printed(&output));
    let told: serde_json::Value = serde_json::from_str(&listed(&output)).unwrap();
    assert_eq!(told["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(told["uploads"], serde_json::json!([case.store.join("old.sql")]));
    let left = case.stored();
    assert!(!left.contains(&".old.sql.abc123.partway".into()), "{left:?}");
    assert!(left.contains(&".young.sql.abc124.partway".into()) && left.contains(&mine), "{left:?}");
    assert!(!case.folder.path().join("state/copy-0123456789abcdef.db").exists());
    // The unfinished one goes on as if nothing had been.
    assert_eq!(case.export().succeed()["sha256"], case.reference.as_str());
}

#[test]
fn what_could_not_be_thrown_away_is_not_forgotten() {
    let case = Case::new();
    case.killed();
    let (id, _) = case.job();
    let aside = case.folder.path().join("aside");
    fs::rename(&case.store, &aside).unwrap();
    let cancel = case.jobs(["cancel", &id]);
    failed(&cancel, 1, "is cancelled, but its data in the store");
    failed(&cancel, 1, "could not be deleted");
    let prune = || case.jobs(["prune", "--uploads-older-than", "0s"]);
    failed(&prune(), 1, "does not exist");
    assert_eq!(jobs(case.folder.path()).len(), 1);
    fs::rename(&aside, &case.store).unwrap();
    assert!(prune().status.success());
    assert_eq!((case.stored().len(), jobs(case.folder.path()).len()), (0, 0));
}

#[test]
fn a_database_whose_disk_is_away_for_a_moment_is_waited_for() {
    let case = Case::new();
    case.killed();
    let (disk, aside) = (case.folder.path().join("disk"), case.folder.path().join("aside"));
    fs::rename(&disk, &aside).unwrap();
    let mut resume = Program::jobs(case.folder.path(), ["resume", "--json"]);
    let child = resume.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while jobs(case.folder.path())[0]["attempts"] == 0 {
        sleep(Duration::from_millis(20));
    }
    fs::rename(&aside, &disk).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(printed(&output).contains("mount its disk again"), "{}", printed(&output));
    assert!(!printed(&output).contains("starting over"), "{}", printed(&output));
    assert_eq!(summary(&output)["sha256"], case.reference.as_str());
    assert_eq!(case.stored().len(), 1);
}

#[test]
fn a_database_that_was_deleted_is_not_waited_for() {
    let case = Case::new();
    case.killed();
    fs::write(case.file.with_file_name("other"), "").unwrap();
    fs::remove_file(&case.file).unwrap();
    let output = case.jobs(["resume", "--json"]);
    failed(&output, 1, "there is no database");
    assert!(!printed(&output).contains("trying again"), "{}", printed(&output));
    let job = jobs(case.folder.path()).remove(0);
    assert_eq!((&job["state"], &job["attempts"]), (&"failed".into(), &0.into()), "{job}");
    assert_eq!(case.stored().len(), 0);
}

#[test]
fn a_job_for_a_store_that_never_was_is_forgotten() {
    let case = Case::new();
    // A service may have one.
    case.killed();
    case.in_state(
        "UPDATE export_jobs SET state = 'failed', finished_at = 1, starts = 0, store = '/no/such/folder', \
         options = json_set(options, '$.store.folder', '/no/such/folder')",
    );
    assert_eq!(jobs(case.folder.path())[0]["state"], "failed");
    let pruned = case.jobs(["prune"]);
    assert!(pruned.status.success(), "{}", printed(&pruned));
    assert_eq!(jobs(case.folder.path()).len(), 0);
    // Asked for by its name, it is missed.
    failed(&case.jobs(["prune", "--store", "/no/such/folder"]), 1, "does not exist");
}

#[test]
fn another_export_leaves_one_that_was_cut_off_alone() {
    let case = Case::new();
    case.killed();
    let (id, _) = case.job();
    for other in [["--part-size", "64KiB"], ["--table", "orders"]] {
        let run = Program::export(&case.file, case.store.to_str().unwrap(), case.folder.path());
        run.with(other).succeed();
    }
    assert_eq!(summary(&case.jobs(["resume", &id, "--json"]))["sha256"], case.reference.as_str());
    assert_eq!(case.stored().len(), 3);
}

#[test]
fn an_environment_that_leads_elsewhere_leaves_the_job_as_it_is() {
    let case = Case::new();
    case.killed();
    let (id, _) = case.job();
    // As if it had been begun where another server was named.
    case.in_state("UPDATE export_jobs SET store = 's3://bucket at http://other'");
    for command in ["resume", "cancel"] {
        failed(&case.jobs([command, &id]), 1, "was not changed");
    }
    case.in_state(&format!(
        "UPDATE export_jobs SET cancel_requested = 0, state = 'running', store = '{}'",
        case.store.canonicalize().unwrap().display()
    ));
    assert_eq!(summary(&case.jobs(["resume", &id, "--json"]))["sha256"], case.reference.as_str());
}

#[test]
fn processes_that_all_begin_at_once_make_one_state() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let folder = folder.path().join(round.to_string());
        // It looks for uploads in this store, and for jobs that they may belong to.
        let prune = || {
            let mut prune = Program::jobs(&folder, ["prune", "--store", "."]);
            prune.command.current_dir(std::env::temp_dir());
            prune.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..8).map(|_| prune()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", printed(&output));
        }
    }
}

#[test]
fn a_job_that_does_not_move_is_shown_as_stuck() {
    let case = Case::new();
    case.killed();
    let state = |case: &Case| listed(&case.jobs(["list"]));
    case.in_state("UPDATE export_jobs SET moved_at = moved_at - 3500000");
    assert!(state(&case).contains("interrupted"), "{}", state(&case));
    case.in_state("UPDATE export_jobs SET moved_at = moved_at - 200000");
    assert!(state(&case).contains("stuck"), "{}", state(&case));
    assert!(jobs(case.folder.path())[0]["stuck"] == true);
}

#[test]
fn jobs_that_are_not_there_are_wrong_usage() {
    let case = Case::new();
    case.export().succeed();
    for command in ["show", "cancel", "resume"] {
        failed(&case.jobs([command, "0123"]), 2, "there is no job 0123: see partway jobs list");
    }
    failed(&case.jobs(["cancel"]), 2, "required");
    assert!(case.jobs(["prune"]).status.success());
    assert!(printed(&case.jobs(["list"])).contains("there are no jobs in"));
}

#[test]
fn looking_for_jobs_makes_no_folder_for_them() {
    let case = Case::new();
    let state = case.folder.path().join("state");
    let none = format!("there are no jobs in {}, which does not exist\n", state.display());
    for command in [&["list"][..], &["list", "--json"], &["resume"], &["prune"]] {
        let output = case.jobs(command.iter().copied());
        assert!(output.status.success() && output.stdout.is_empty(), "{}", printed(&output));
        assert_eq!(printed(&output), format!("partway: {none}"));
    }
    for command in ["show", "cancel", "resume"] {
        failed(&case.jobs([command, "0123"]), 2, &none);
    }
    assert!(!state.exists());
}

#[test]
fn an_object_that_lacks_damaged_data_is_not_listed_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let output = Program::export(&file, folder.path().to_str().unwrap(), folder.path()).run();
    failed(&output, 1, "the export is incomplete");
    assert_eq!(jobs(folder.path())[0]["state"], "incomplete");
    let list = listed(&Program::jobs(folder.path(), ["list"]).run());
    assert!(list.contains("  incomplete  "), "{list}");
    let id = jobs(folder.path())[0]["job"].as_str().unwrap().to_owned();
    let show = listed(&Program::jobs(folder.path(), ["show", &id]).run());
    assert!(
        show.contains("incomplete") && show.lines().any(|line| line.starts_with("damaged ")),
        "{show}"
    );

    // The guide has every key of the lines of JSON, and no other.
    let summary: serde_json::Value = serde_json::from_str(listed(&output).trim()).unwrap();
    assert_eq!(keys(&summary), documented_keys("partway export --json"));
    assert_eq!(keys(&jobs(folder.path())[0]), documented_keys("partway jobs list --json"));
}

/// The keys that the guide has in the table under this heading.
fn documented_keys(heading: &str) -> BTreeSet<String> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/GUIDE.md");
    let guide = fs::read_to_string(guide).unwrap();
    let section = guide.split(&format!("### `{heading}`\n")).nth(1).expect(heading);
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

fn keys(value: &serde_json::Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_wrong_request_is_no_job_to_keep() {
    let case = Case::new();
    failed(&case.export().with(["--table", "nothing"]).run(), 2, "no such table");
    let nowhere = case.folder.path().join("nowhere");
    let nowhere = Program::export(&case.file, nowhere.to_str().unwrap(), case.folder.path()).run();
    failed(&nowhere, 1, "nowhere does not exist: create it first");
    let component = case.export().with(["--component", "nothing.wasm"]).run();
    failed(&component, 1, "nothing.wasm can't be used for an export: it does not exist");
    assert_eq!(jobs(case.folder.path()), [] as [serde_json::Value; 0]);
}

#[test]
fn a_state_file_that_is_damaged_newer_or_not_ours_is_refused_and_left_alone() {
    let case = Case::new();
    case.killed();
    // All in one file, as after any tidy end.
    case.in_state("PRAGMA wal_checkpoint(TRUNCATE)");
    let path = case.folder.path().join("state/jobs.db");
    let whole = fs::read(&path).unwrap();
    let newer = {
        let copy = case.folder.path().join("newer.db");
        fs::write(&copy, &whole).unwrap();
        Connection::open(&copy).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        fs::read(copy).unwrap()
    };
    let foreign = {
        let copy = case.folder.path().join("foreign.db");
        drop(database(&copy, "CREATE TABLE t (a)"));
        fs::read(copy).unwrap()
    };
    let mut middle = whole.clone();
    middle[4096..8192].fill(0xaa);
    let mut pages: Vec<u8> = whole.clone();
    let last = pages.len() - 4096;
    pages[last..].fill(0x55);
    for (bytes, expected) in [
        (b"no database, but a long enough text to be taken for one".repeat(100), "is damaged"),
        (whole[..whole.len() / 2].to_vec(), "is damaged"),
        (middle, "is damaged"),
        (pages, "is damaged"),
        (newer, "newer version of partway (format 99"),
        (foreign, "is not a job file of partway"),
    ] {
        fs::write(&path, &bytes).unwrap();
        failed(&case.export().run(), 1, expected);
        failed(&case.jobs(["list"]), 1, expected);
        failed(&case.jobs(["prune", "--uploads-older-than", "0s"]), 1, expected);
        assert!(fs::read(&path).unwrap() == bytes, "it was overwritten: {expected}");
        assert_eq!(case.stored().len(), 1);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(case.export().succeed()["sha256"], case.reference.as_str());
}

#[test]
fn a_state_folder_on_a_read_only_disk_is_refused() {
    let case = Case::new();
    case.killed();
    let state = case.folder.path().join("state");
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(&state).arg(&state);
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !(mount("bind") && mount("remount,ro,bind")) {
        Command::new("umount").arg("-l").arg(&state).output().ok();
        println!("not tested: this user may not mount a folder read-only");
        return;
    }
    let outputs = [case.export().run(), case.jobs(["list"]), case.jobs(["prune"])];
    let unmounted = Command::new("umount").arg("-l").arg(&state).status();
    assert!(unmounted.unwrap().success());
    for output in &outputs {
        failed(output, 1, "can't be opened for writing");
    }
    assert_eq!(case.stored().len(), 1);
    assert_eq!(case.export().succeed()["sha256"], case.reference.as_str());
}

#[test]
fn the_jobs_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new();
    let child = case.started(case.export().with(["--pause", "20ms"]));
    let folder = case.folder.path().join("state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&folder), 0);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("jobs.db") {
            assert_eq!(mode(&path), 0, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 2, "a log is beside the file while it is used");
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
}
