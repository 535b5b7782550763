//! An object is the one that its job has made, or it is not: its version and its hash say so, and not its length.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Server, ServiceCase};

/// A service that has done an export, with the export's id and its object.
struct Case {
    service: ServiceCase,
    server: Server,
    id: String,
    object: PathBuf,
}

impl Case {
    fn new() -> Self {
        let service = ServiceCase::new(1);
        let server = service.serve([]);
        let id = server.post("/export/dump", "").accepted();
        server.until(&id, |status| status["status"] == "done");
        let object = service.stored().remove(0);
        Self { service, server, id, object }
    }

    fn path(&self) -> String {
        format!("/export/download/{}", self.id)
    }

    fn download(&self) -> u16 {
        self.server.get(&self.path()).status
    }

    fn delete(&self) -> Value {
        self.server.ask("DELETE", &format!("/export/{}", self.id), &[], "").result(200)
    }

    /// What the job store has saved of the object.
    fn set_version(&self, version: Option<&str>) {
        let jobs = Connection::open(self.service.folder.path().join("state/jobs.db")).unwrap();
        let changed = jobs.execute("UPDATE export_jobs SET object_version = ?1", [version]);
        assert_eq!(changed.unwrap(), 1);
    }
}

/// As long as the object, and written at the same time.
fn replaced(case: &Case) -> Vec<u8> {
    let other = vec![b'-'; fs::metadata(&case.object).unwrap().len() as usize];
    let modified = fs::metadata(&case.object).unwrap().modified().unwrap();
    fs::remove_file(&case.object).unwrap();
    fs::write(&case.object, &other).unwrap();
    let file = fs::File::options().write(true).open(&case.object).unwrap();
    file.set_modified(modified).unwrap();
    other
}

#[test]
fn a_file_as_long_as_the_object_is_neither_sent_nor_deleted_as_the_object() {
    let case = Case::new();
    assert_eq!(case.download(), 200);
    let other = replaced(&case);
    assert!(case.server.get(&case.path()).error(410).contains("another has its name"));
    assert_eq!(case.delete()["pruned"], false);
    assert!(fs::read(&case.object).unwrap() == other, "somebody else's file was deleted");
}

#[test]
fn an_object_that_was_written_to_is_not_sent() {
    let case = Case::new();
    let mut bytes = fs::read(&case.object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&case.object, bytes).unwrap();
    case.server.get(&case.path()).error(410);
}

#[test]
fn a_copy_that_was_put_back_is_the_object_by_its_hash() {
    let case = Case::new();
    let bytes = fs::read(&case.object).unwrap();
    let aside = case.service.folder.path().join("aside");
    fs::rename(&case.object, aside).unwrap();
    fs::write(&case.object, bytes).unwrap();
    let hour = Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(&case.object).unwrap();
    file.set_modified(SystemTime::now() - hour).unwrap();
    for _ in 0..2 {
        assert_eq!(case.download(), 200);
    }
    assert_eq!(case.delete()["pruned"], true);
    assert!(!case.object.exists());
}

#[test]
fn an_export_done_before_versions_were_saved_is_known_by_its_length() {
    let case = Case::new();
    case.set_version(None);
    assert_eq!(case.download(), 200);
    fs::write(&case.object, "another").unwrap();
    case.server.get(&case.path()).error(410);
}
