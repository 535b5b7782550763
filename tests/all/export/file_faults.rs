//! File systems that fail: each call of a whole export to the files of the database, the state folder and the store
//! fails once. Whichever it is, the object is whole or not there, the message names what failed, and the same command
//! finishes the export.
//!
//! `cargo test -p partway-tests --test all file_faults -- --nocapture` shows how many calls were tried, and every message.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Program, preload, sha256, summary, turn};

/// How many runs go side by side.
const THREADS: usize = 2;

/// Kinds of calls, in the order of the library's report.
const KINDS: [&str; 7] = ["open", "read", "write", "sync", "truncate", "link", "unlink"];

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// SQLite takes EIO on reading for damage. This it takes for a failed read, as on a network file system.
const ESTALE: i32 = 116;

/// A way to export.
struct Way {
    journal: &'static str,
    arguments: &'static [&'static str],
}

/// Two slices, the second of them short.
const SLICES: [&str; 6] = ["--part-size", "4KiB", "--slice-parts", "4", "--name", "t.sql"];

/// One call that fails.
#[derive(Debug, Clone, Copy)]
struct Fault {
    kind: &'static str,
    at: u64,
    error: i32,
    /// All later ones of the kind fail too: the disk is full, or gone.
    and_all_after: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self.error {
            EIO => "EIO",
            ENOSPC => "ENOSPC",
            _ => "ESTALE",
        };
        let after = if self.and_all_after { " and all after" } else { "" };
        write!(f, "{} {}{after}: {error}", self.kind, self.at)
    }
}

impl Fault {
    /// Whether SQLite takes the call that failed for damage of the file.
    fn is_damage(self, failed: &str) -> bool {
        self.kind == "read" && self.error == EIO && failed.contains(".db")
    }
}

/// What the preloaded library tells.
struct Report {
    calls: BTreeMap<&'static str, u64>,
    /// The first call that failed.
    failed: Option<String>,
}

/// How an export with a fault ended.
enum Ending {
    /// There were fewer calls than that.
    NotReached,
    /// The program did without.
    Done,
    /// It failed with this message, and the next run finished it.
    Failed(String),
}

/// A folder with a database, a state folder and a store of its own.
struct Ground {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Ground {
    fn new(database: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("database")).unwrap();
        fs::create_dir(root.join("store")).unwrap();
        fs::copy(database, root.join("database/small.db")).unwrap();
        Self { folder, root }
    }

    fn program(&self, way: &Way) -> Program {
        let store = self.root.join("store");
        Program::export(&self.root.join("database/small.db"), store.to_str().unwrap(), &self.root)
            .with(SLICES)
            .with(way.arguments.iter().copied())
    }

    /// Runs the program with one call failing, or none.
    fn run(&self, way: &Way, library: &Path, fault: Option<Fault>) -> (Output, Report) {
        let mut program = self.program(way);
        let counts = self.root.join("counts");
        fs::write(&counts, [0; 8192]).unwrap();
        let folders = ["database", "state", "store"].map(|name| self.root.join(name));
        let folders = folders.map(|folder| folder.to_str().unwrap().to_owned()).join(":");
        program.command.env("LD_PRELOAD", library);
        program.command.env("FAULT_COUNTS", &counts).env("FAULT_FOLDERS", folders);
        if let Some(fault) = fault {
            program.command.env("FAULT_KIND", fault.kind).env("FAULT_AT", fault.at.to_string());
            program.command.env("FAULT_ERRNO", fault.error.to_string());
            if fault.and_all_after {
                program.command.env("FAULT_AND_ALL_AFTER", "1");
            }
        }
        let output = program.run();
        (output, Report::read(&counts))
    }

    /// The objects in the store and what is hidden there. All objects, and manifests, are whole.
    fn stored(&self, reference: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let (mut objects, mut hidden) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(self.root.join("store")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') && name.ends_with(".partway") {
                hidden.push(name);
            } else if name.ends_with(".manifest.json") {
                let manifest = fs::read(entry.path()).unwrap();
                let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
                if manifest["object"]["sha256"] != reference {
                    return Err(format!("{name} is in the store, and is not whole"));
                }
            } else if sha256(&entry.path()) == reference {
                objects.push(name);
            } else {
                return Err(format!("{name} is in the store, and is not whole"));
            }
        }
        Ok((objects, hidden))
    }

    /// Lets a call fail, and looks at all that is left; then runs the same command again.
    fn try_fault(
        &self,
        way: &Way,
        library: &Path,
        fault: Fault,
        reference: &str,
    ) -> Result<Ending, String> {
        let (output, report) = self.run(way, library, Some(fault));
        let Some(failed) = report.failed else {
            return match output.status.code() {
                Some(0) => Ok(Ending::NotReached),
                code => Err(format!("{code:?} without a fault: {}", printed(&output))),
            };
        };
        let told = |text: String| format!("{failed}: {text}\n{}", printed(&output));
        let (objects, _) = self.stored(reference).map_err(told)?;
        let ending = match output.status.code() {
            Some(0) => {
                let told_hash = summary(&output)["sha256"].clone();
                // Damage that was not there any more when the rest was to be exported.
                let is_named = objects == ["t.sql"]
                    || (fault.is_damage(&failed) && objects == ["t.sql.incomplete"]);
                if told_hash != reference || !is_named {
                    return Err(told(format!("it is not done: {objects:?}, {told_hash}")));
                }
                Ending::Done
            }
            Some(1) => Ending::Failed(self.message(&output, fault, &failed).map_err(told)?),
            code => return Err(told(format!("exit code {code:?}"))),
        };
        if let Ending::Failed(_) = &ending {
            let again = self.program(way).run();
            let told = |text: String| told(format!("{text}; then\n{}", printed(&again)));
            if again.status.code() != Some(0) || summary(&again)["sha256"] != reference {
                return Err(told("the next run does not finish it".to_owned()));
            }
            let (objects, _) = self.stored(reference).map_err(told)?;
            // Where nothing can be synced any more, nobody knows that the object is there; the next run makes another.
            if objects != ["t.sql"]
                && !(fault.and_all_after && objects.contains(&"t-2.sql".to_owned()))
            {
                return Err(told(format!("in the store are {objects:?}")));
            }
        }
        self.nothing_is_left(reference).map_err(told)?;
        Ok(ending)
    }

    /// What the program says at the end, without what differs from run to run.
    fn message(&self, output: &Output, fault: Fault, failed: &str) -> Result<String, String> {
        let text = printed(output);
        let last = text.lines().rfind(|line| line.starts_with("partway: "));
        let message = last.ok_or("there is no message")?.replace(self.root.to_str().unwrap(), "…");
        if !["…/database", "…/state", "…/store", "table \"t\""]
            .iter()
            .any(|folder| message.contains(folder))
        {
            return Err("the message does not name what failed".to_owned());
        }
        // The names of an object and of a job change.
        let words = message.split(' ').map(|word| match word.rsplit_once("/store/") {
            Some((before, _)) => format!("{before}/store/…"),
            None => word.to_owned(),
        });
        let reasons: &[&str] = match fault.kind {
            // SQLite does not say why it can't open a file.
            "open" => &["/O error", "Input/output error", "unable to open", "can't be opened"],
            _ if fault.error == ENOSPC => &["full", "no space", "No space", "/O error"],
            "read" if fault.is_damage(failed) => {
                &["damaged", "malformed", "/O error", "Input/output error"]
            }
            "read" => &["/O error", "Stale file handle"],
            _ => &["/O error", "Input/output error"],
        };
        if !reasons.iter().any(|reason| message.contains(reason)) {
            return Err("the message does not say why".to_owned());
        }
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    /// Whatever is hidden in the store or copied to the state folder, pruning deletes.
    fn nothing_is_left(&self, reference: &str) -> Result<(), String> {
        let mut prune = Program::jobs(&self.root, ["prune", "--uploads-older-than", "0s"]);
        prune.command.arg("--store").arg(self.root.join("store"));
        let output = prune.run();
        let (_, hidden) = self.stored(reference)?;
        let state = fs::read_dir(self.root.join("state")).unwrap();
        let names = state.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> =
            names.filter(|name| !name.starts_with("jobs.db")).chain(hidden).collect();
        if output.status.success() && left.is_empty() {
            return Ok(());
        }
        Err(format!("{left:?} are left after pruning, which said\n{}", printed(&output)))
    }
}

impl Report {
    fn read(counts: &Path) -> Self {
        let bytes = fs::read(counts).unwrap();
        let mut words =
            bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
        let calls = KINDS.into_iter().zip(&mut words).collect();
        let failed = words.next().unwrap();
        let text = bytes[8 * (KINDS.len() + 1)..].split(|byte| *byte == 0).next().unwrap();
        let text = String::from_utf8_lossy(text).into_owned();
        Self { calls, failed: (failed > 0).then_some(text) }
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A database whose dump has six parts.
fn database(folder: &Path, journal: &str) -> PathBuf {
    let file = folder.join("small.db");
    let connection = Connection::open(&file).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode={journal}; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 90)
               INSERT INTO t SELECT i, printf('%.*c', 240, 'x') FROM i;"
        ))
        .unwrap();
    file
}

/// One of `stride` calls, each of which is to fail, by a run in which none does.
fn faults(way: &Way, ground: &Ground, library: &Path, stride: usize) -> (Vec<Fault>, String) {
    let (output, report) = ground.run(way, library, None);
    let summary = summary(&output);
    assert_eq!((&summary["slices"], &summary["parts"]), (&2.into(), &6.into()), "{summary}");
    let mut faults = Vec::new();
    for (kind, count) in report.calls {
        assert!(count > 0, "no call of the kind {kind}");
        let errors: &[i32] = match kind {
            "read" => &[EIO, ESTALE],
            "write" => &[EIO, ENOSPC],
            _ => &[EIO],
        };
        for at in (1..=count).step_by(stride) {
            for error in errors {
                faults.push(Fault { kind, at, error: *error, and_all_after: false });
            }
            if matches!(kind, "write" | "sync") {
                let error = if kind == "write" { ENOSPC } else { EIO };
                faults.push(Fault { kind, at, error, and_all_after: true });
            }
        }
    }
    (faults, summary["sha256"].as_str().unwrap().to_owned())
}

/// Tries one of `stride` calls, each on a ground of its own.
fn all_end_well(way: &Way, stride: usize) {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let library = preload("calls", folder.path());
    let database = database(folder.path(), way.journal);
    let began = Instant::now();
    let (faults, reference) = faults(way, &Ground::new(&database), &library, stride);
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let tally = Mutex::new(Tally::default());
    let worker = || {
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ground = Ground::new(&database);
            match ground.try_fault(way, &library, *fault, &reference) {
                Ok(ending) => tally.lock().unwrap().add(*fault, ending),
                Err(text) => wrong.lock().unwrap().push(format!("{fault}: {text}")),
            }
            drop(ground.folder);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(worker);
        }
    });
    let (wrong, tally) = (wrong.into_inner().unwrap(), tally.into_inner().unwrap());
    print!("{}", tally.messages());
    let line = format!("{tally}, in {:.0} s\n", began.elapsed().as_secs_f64());
    // Past the test harness, which keeps what a good test prints.
    std::io::stderr().write_all(line.as_bytes()).ok();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
    assert!(tally.failed() + tally.done > 40, "{tally}");
}

/// How all faults have ended.
#[derive(Default)]
struct Tally {
    not_reached: usize,
    done: usize,
    messages: BTreeMap<String, Vec<Fault>>,
}

impl Tally {
    fn add(&mut self, fault: Fault, ending: Ending) {
        match ending {
            Ending::NotReached => self.not_reached += 1,
            Ending::Done => self.done += 1,
            Ending::Failed(message) => self.messages.entry(message).or_default().push(fault),
        }
    }

    fn failed(&self) -> usize {
        self.messages.values().map(Vec::len).sum()
    }

    /// Each message once, with the faults that led to it.
    fn messages(&self) -> String {
        let line = |(message, faults): (&String, &Vec<Fault>)| {
            let some: Vec<String> = faults.iter().take(3).map(Fault::to_string).collect();
            format!("{message}\n    {} times: {}\n", faults.len(), some.join(", "))
        };
        self.messages.iter().map(line).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, failed) = (self.done, self.failed());
        write!(
            f,
            "{} calls failed: {failed} ended the export, which the next run finished; ",
            done + failed
        )?;
        write!(f, "{done} it did without ({} were not reached)", self.not_reached)
    }
}

const IN_WAL: Way = Way { journal: "WAL", arguments: &["--retries", "0"] };

/// Of a copy in the state folder.
const OF_A_COPY: Way =
    Way { journal: "DELETE", arguments: &["--retries", "0", "--snapshot", "copy"] };

#[test]
fn whichever_call_fails_the_next_run_finishes_the_export() {
    all_end_well(&IN_WAL, 7);
    all_end_well(&OF_A_COPY, 11);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn whichever_of_all_calls_fails_the_next_run_finishes_the_export() {
    all_end_well(&IN_WAL, 1);
    all_end_well(&OF_A_COPY, 1);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn whichever_call_fails_the_program_itself_tries_again() {
    all_end_well(&Way { journal: "WAL", arguments: &["--retries", "1"] }, 5);
}
