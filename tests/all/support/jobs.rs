//! Jobs, looked at from outside.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::WAIT_LIMIT;
use crate::support::program::{Program, program};

impl Program {
    /// `partway jobs …`, of the jobs that [`Program::export`] keeps in `folder`.
    pub fn jobs<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(program());
        command.arg("jobs").args(arguments).arg("--state").arg(folder.join("state"));
        Self { command }
    }
}

/// All jobs, as `partway jobs list --json` tells them, the newest first.
pub fn jobs(folder: &Path) -> Vec<Value> {
    let output = Program::jobs(folder, ["list", "--json"]).run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("jobs in UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a job as JSON")).collect()
}

/// The parts that the newest unfinished job has saved; none where there is none.
pub fn saved_parts(folder: &Path) -> Option<u64> {
    saved(folder, "parts")
}

fn saved(folder: &Path, what: &str) -> Option<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(folder.join("state/jobs.db"), flags).ok()?;
    let sql = "SELECT totals ->> ?1 FROM export_jobs WHERE finished_at IS NULL \
               ORDER BY rowid DESC LIMIT 1";
    connection.query_row(sql, [what], |row| row.get(0)).ok()
}

/// The slices that the newest unfinished job has saved; 0 where there is none.
pub fn saved_slices(folder: &Path) -> u64 {
    saved(folder, "slices").unwrap_or(0)
}

/// Waits until the newest unfinished job has saved so many parts.
pub fn wait_for_parts(folder: &Path, parts: u64) {
    let began = Instant::now();
    while saved_parts(folder).is_none_or(|saved| saved < parts) {
        assert!(began.elapsed() < WAIT_LIMIT, "no part was saved");
        sleep(Duration::from_millis(2));
    }
}

/// Runs an export whose process is killed whenever some parts more are safe, more than five times: what its last run, which
/// ends, prints. Its state is in `folder`.
pub fn killed_often(folder: &Path, export: impl Fn() -> Program) -> Output {
    let saved = || saved_parts(folder).unwrap_or(0);
    let mut kills = 0;
    loop {
        let mut command = export().command;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let has_ended = |child: &mut Child| child.try_wait().expect("a child").is_some();
        let before = saved();
        let began = Instant::now();
        while !has_ended(&mut child) && saved() < before + 7 {
            assert!(began.elapsed() < WAIT_LIMIT, "no part was saved");
            sleep(Duration::from_millis(1));
        }
        if has_ended(&mut child) {
            assert!(kills > 5, "it was killed {kills} times only");
            return child.wait_with_output().expect("the program ends");
        }
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        kills += 1;
    }
}
