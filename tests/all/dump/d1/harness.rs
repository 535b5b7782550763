//! The real workerd with a SQLite-backed Durable Object and D1: the program `load.mjs`, and npm to install it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

const FILES: [&str; 7] = [
    ".npmrc",
    "load.mjs",
    "package-lock.json",
    "package.json",
    "read.mjs",
    "split.mjs",
    "worker.mjs",
];

const OLDEST_NODE: u32 = 20;

/// How a dump gets into the database; `load.mjs` says more of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One transaction, though the text streams in.
    Transaction,
    /// One synchronous turn.
    Turn,
    /// A commit after every statement.
    Turns,
    /// One batch of D1.
    D1,
}

/// Loads a dump and reads everything back, or gives what `load.mjs` said.
pub fn load(dump: &Path, way: Way) -> Result<Value, String> {
    let way = match way {
        Way::Transaction => "transaction",
        Way::Turn => "turn",
        Way::Turns => "turns",
        Way::D1 => "d1",
    };
    let mut node = Command::new("node");
    let output = run(node.arg("load.mjs").arg(dump).arg(way).current_dir(installed()));
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).expect("one JSON document"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The folder of a copy under the target folder, with what its lock file names installed.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(install)
}

fn install() -> PathBuf {
    check_node();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("workerd");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workerd");
    fs::create_dir_all(&folder).expect("a folder for the harness");
    // Other test processes may be at it.
    let lock = fs::File::create(folder.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    for file in FILES {
        fs::copy(source.join(file), folder.join(file)).expect("a copy of the harness");
    }
    let wanted = fs::read(source.join("package-lock.json")).expect("the lock file");
    let mark = folder.join("node_modules/.installed");
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    let output = run(&mut npm);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "`npm ci` could not install miniflare in {}; it needs a package registry that npm can reach: {printed}",
        folder.display()
    );
    fs::write(mark, wanted).expect("a mark that all is installed");
    folder
}

fn check_node() {
    let output = run(Command::new("node").arg("--version"));
    let version = String::from_utf8_lossy(&output.stdout);
    let major = version.trim_start_matches('v').split('.').next();
    let is_new_enough =
        major.and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= OLDEST_NODE);
    assert!(
        is_new_enough,
        "the tests of `--target d1` need Node.js {OLDEST_NODE} or newer, this is {}",
        version.trim()
    );
}

fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "the tests of `--target d1` load dumps into workerd: install Node.js {OLDEST_NODE} or newer \
             with npm, so that {:?} is on the PATH",
            command.get_program()
        ),
        Err(error) => panic!("{command:?}: {error}"),
    }
}
