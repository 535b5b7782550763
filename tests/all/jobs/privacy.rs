//! What lies in a state folder is for its owner alone, whatever the umask and whoever made the folder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partway_testbed::write_sample;

use crate::support::{Program, Server, WAIT_LIMIT, program, signal};

/// The same command with a umask that takes no right away.
fn without_umask(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program());
    shell.args(command.get_args());
    shell
}

/// The kinds of files in a folder, none of which others may use.
#[track_caller]
fn private(folder: &Path) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // One that has gone meanwhile is nobody's.
        let Ok(metadata) = entry.metadata() else { continue };
        let mode = metadata.permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has the mode {mode:o}");
        kinds.insert(name.split(['-', '.']).next().unwrap_or_default().to_owned());
    }
    kinds
}

#[test]
fn state_files_copies_and_secrets_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 8).unwrap();
    let (state, store) = (folder.path().join("state"), folder.path().join("store"));
    for path in [&state, &store] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let export = Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--snapshot", "copy", "--part-size", "64KiB", "--slice-parts", "1"])
        .with(["--pause", "20ms"]);
    let mut child = without_umask(&export.command).stdout(Stdio::null()).spawn().unwrap();
    let expected = ["copy", "jobs", "process"].map(str::to_owned).into();
    let began = Instant::now();
    while private(&state) != expected {
        assert!(began.elapsed() < WAIT_LIMIT, "{:?}", private(&state));
        sleep(Duration::from_millis(1));
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    private(&state);

    let mut serve = Command::new(program());
    serve.arg("serve").arg(&file).arg("--store").arg(&store).arg("--state").arg(&state);
    serve.args(["--listen", "127.0.0.1:0"]);
    let server = Server::spawn(without_umask(&serve));
    assert!(private(&state).contains("callback"), "there is no secret for callbacks");
    drop(server);
    // A folder that is made is for its owner too.
    let made = folder.path().join("made");
    let jobs = ["jobs", "list", "--state", made.to_str().unwrap()];
    assert!(without_umask(Command::new(program()).args(jobs)).status().unwrap().success());
    if made.exists() {
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o077, 0);
    }
}

/// Runs a command without a umask and with a folder of its own for temporary files, and looks that nothing in that is for
/// others, as long as it runs. What it prints is read meanwhile.
#[track_caller]
fn keeps_temporary_files_private(command: &Command, folder: &Path) {
    let temporary = folder.join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = without_umask(command);
    let mut child = command.env("TMPDIR", &temporary).stdout(Stdio::null()).spawn().unwrap();
    let mut kinds = BTreeSet::new();
    while child.try_wait().unwrap().is_none() {
        kinds.extend(private(&temporary));
    }
    assert!(child.wait().unwrap().success());
    assert!(!kinds.is_empty(), "it has made no temporary file");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "a temporary file is left");
    fs::remove_dir(temporary).unwrap();
}

#[test]
fn copies_for_streams_and_restored_dumps_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 40).unwrap();
    let mut stream = Command::new(program());
    stream.args(["export", "--snapshot", "copy"]).arg(&file);
    keeps_temporary_files_private(&stream, folder.path());
    let dump = folder.path().join("dump.sql");
    let output = fs::File::create(&dump).unwrap();
    assert!(stream.stdout(output).status().unwrap().success());
    let mut verify = Command::new(program());
    verify.arg("verify").arg(&dump).arg("--against").arg(&file);
    keeps_temporary_files_private(&verify, folder.path());
}
