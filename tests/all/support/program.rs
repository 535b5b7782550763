//! The program, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use serde_json::Value;

/// The built program's path: beside the tests, in the same build.
pub fn program() -> PathBuf {
    built("partway")
}

/// The path of a program of the workspace.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not built: run `cargo xtask test`", program.display());
    program
}

/// Sends a signal, such as `-INT`, to a process that runs.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.expect("kill starts").success());
}

/// A line of what the system says of a process's memory, in MiB; none if the process has ended.
pub fn memory(child: &Child, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|found| found.starts_with(line))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().expect("a number of kB") / 1024)
}

/// A run of the program.
pub struct Program {
    /// The command, to add to.
    pub command: Command,
}

impl Program {
    /// `partway export DATABASE --to STORE`, with state in `folder`.
    pub fn export(database: &Path, store: &str, folder: &Path) -> Self {
        let mut command = Command::new(program());
        command.arg("export").arg(database).args(["--to", store, "--json"]);
        command.arg("--state").arg(folder.join("state"));
        Self { command }
    }

    /// `partway verify DUMP`.
    pub fn verify(dump: &str) -> Self {
        let mut command = Command::new(program());
        command.args(["verify", dump]);
        Self { command }
    }

    /// `partway restore DUMP DATABASE`.
    pub fn restore(dump: &str, database: &Path) -> Self {
        let mut command = Command::new(program());
        command.args(["restore", dump]).arg(database);
        Self { command }
    }

    /// With further arguments.
    pub fn with<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Output {
        self.command.output().expect("the program starts")
    }

    /// Runs it to a good end, and gives its summary.
    pub fn succeed(self) -> Value {
        summary(&self.run())
    }
}

/// The summary of a run that ended well.
pub fn summary(output: &Output) -> Value {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {printed}", output.status);
    serde_json::from_slice(&output.stdout).expect("one line of JSON on standard output")
}

/// What people are told is sentences of the program, or of its command line: no lines of a log.
#[track_caller]
pub fn assert_sentences(printed: &str) {
    let is_sentence = |line: &&str| line.starts_with("partway: ");
    let odd = printed.lines().filter(|line| !is_sentence(line));
    // The first word of what is said about a wrong command line, on several lines.
    let is_usage = printed.starts_with("error: ");
    assert!(is_usage || odd.count() == 0, "{printed}");
}
