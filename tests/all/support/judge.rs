//! Judges that are not the SQLite library inside these tests: other versions of it, behind Python.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::support::python_tools;

/// A process that compares databases. It ends with this.
pub struct Judge {
    /// The library that it reads with, and its version.
    pub name: String,
    child: Child,
    // None: it was told that there is no more.
    pairs: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    /// One with the library of Python, which may be the one of the stock `sqlite3` program, and one with a newer library;
    /// none where the environment has no Python.
    pub fn all() -> Vec<Self> {
        let Some(tools) = python_tools() else { return Vec::new() };
        let python = tools.join("python");
        ["sqlite3", "apsw"].map(|library| Self::start(&python, library)).into()
    }

    fn start(python: &Path, library: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/compare.py");
        let mut command = Command::new(python);
        command.arg(script).arg(library).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python starts");
        let pairs = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut name = String::new();
        answers.read_line(&mut name).expect("its first line");
        assert!(name.contains(" with SQLite "), "{library} does not start: {name:?}");
        Self { name: name.trim_end().to_owned(), child, pairs, answers }
    }

    /// Compares two databases.
    ///
    /// # Errors
    ///
    /// How they differ.
    pub fn compare(&mut self, original: &Path, copy: &Path) -> Result<()> {
        let pair = serde_json::to_string(&[original, copy])?;
        let mut answer = String::new();
        if let Some(pairs) = &mut self.pairs {
            writeln!(pairs, "{pair}").with_context(|| format!("{} has ended", self.name))?;
        }
        self.answers.read_line(&mut answer)?;
        let differences: Vec<String> =
            serde_json::from_str(&answer).with_context(|| format!("{} has ended", self.name))?;
        if differences.is_empty() {
            return Ok(());
        }
        bail!("{}: {}", self.name, differences.join("\n"))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.pairs = None;
        self.child.wait().ok();
    }
}
