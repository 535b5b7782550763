//! A state folder that is deleted, while an export runs and between two runs: no object is damaged or lost.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use partway_testbed::write_sample;

use crate::support::{Program, export, sha256, stored, summary, wait_for_parts};

struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: PathBuf,
    reference: String,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sample.db");
        write_sample(&file, 4).unwrap();
        let apart = folder.path().join("apart");
        let store = folder.path().join("store");
        fs::create_dir(&apart).unwrap();
        fs::create_dir(&store).unwrap();
        let reference = export(&file, &apart, 1024 * 1024, || u32::MAX).finished.sha256;
        Self { folder, file, store, reference }
    }

    fn export(&self) -> Program {
        Program::export(&self.file, self.store.to_str().unwrap(), self.folder.path()).with([
            "--slice-parts",
            "1",
            "--part-size",
            "32KiB",
            "--name",
            "a.sql",
        ])
    }

    fn delete_state(&self) {
        fs::remove_dir_all(self.folder.path().join("state")).unwrap();
    }

    fn objects(&self) -> Vec<String> {
        stored(&self.store)
    }
}

#[test]
fn a_state_folder_that_is_deleted_meanwhile_takes_no_object_with_it() {
    let case = Case::new();
    let mut slow = case.export().with(["--pause", "30ms"]);
    let child = slow.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_parts(case.folder.path(), 3);
    case.delete_state();
    // It knows nothing of the other, and the other nothing of it.
    let second = case.export().succeed();
    let first = summary(&child.wait_with_output().unwrap());
    for outcome in [&first, &second] {
        assert_eq!(outcome["sha256"], case.reference.as_str());
        let object = PathBuf::from(outcome["location"].as_str().unwrap());
        assert_eq!(sha256(&object), case.reference);
    }
    assert_eq!(case.objects(), ["a-2.sql", "a.sql"]);
}

#[test]
fn an_export_whose_state_is_deleted_starts_anew_and_its_rest_is_pruned() {
    let case = Case::new();
    let mut slow = case.export().with(["--pause", "30ms"]);
    let mut child = slow.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_parts(case.folder.path(), 3);
    child.kill().unwrap();
    child.wait().unwrap();
    case.delete_state();
    let done = case.export().succeed();
    assert_eq!((done["sha256"].as_str(), case.objects().len()), (Some(&*case.reference), 2));
    let prune = ["prune", "--store", case.store.to_str().unwrap(), "--uploads-older-than", "0s"];
    assert!(Program::jobs(case.folder.path(), prune).run().status.success());
    assert_eq!(case.objects(), ["a.sql"]);
    assert_eq!(sha256(&case.store.join("a.sql")), case.reference);
}
