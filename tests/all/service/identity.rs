//! An object that somebody has put in the place of an export's is not the export's, even if it is as long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use partway_store::Store;
use rusqlite::Connection;

use crate::support::{Program, S3Server, Server, WAIT_LIMIT, program, runtime, tiny};

/// Objects in a store, as others than the service handle them.
trait Objects {
    /// The object's bytes.
    fn read(&self, name: &str) -> Vec<u8>;

    /// Puts an object in the place of another.
    fn put(&self, name: &str, bytes: &[u8]);

    /// Puts others in its place, as many; returns them.
    fn replace(&self, name: &str) -> Vec<u8> {
        let mut bytes = self.read(name);
        bytes.reverse();
        self.put(name, &bytes);
        bytes
    }
}

struct Folder(PathBuf);

impl Objects for Folder {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::remove_file(self.0.join(name)).unwrap();
        fs::write(self.0.join(name), bytes).unwrap();
    }
}

impl Objects for S3Server {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.object(name)).unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let (store, bytes) = (self.store("nightly"), Bytes::copy_from_slice(bytes));
        runtime().block_on(async {
            store.delete(name).await.unwrap();
            let upload = store.begin(name).await.unwrap();
            let length = bytes.len() as u64;
            let part = store.write(&upload, 1, 0, bytes).await.unwrap();
            store.complete(&upload, &[part], length).await.unwrap();
        });
    }
}

/// A service with the folder's database, to S3.
fn serve_s3(s3: &S3Server, folder: &Path, arguments: &[&str]) -> Server {
    let mut command = Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", "s3://exports/nightly"]);
    command.arg("--state").arg(folder.join("state")).arg(folder.join("tiny.db")).args(arguments);
    command.env("PARTWAY_LOG", "warn");
    Server::spawn(s3.with(Program { command }).command)
}

/// Neither downloaded nor deleted.
fn is_left_alone(server: &Server, objects: &dyn Objects) {
    let id = server.post("/export/dump", "").accepted();
    let done = server.until(&id, |status| status["status"] == "done");
    let name = done["name"].as_str().unwrap();
    let path = format!("/export/download/{id}");
    assert_eq!(server.get(&path).status, 200);
    let other = objects.replace(name);
    let error = server.get(&path).error(410);
    assert!(error.contains("gone"), "{error}");
    assert_eq!(server.ask("HEAD", &path, &[], "").status, 410);
    server.get(&format!("{path}?redirect=1")).error(410);
    let removed = server.ask("DELETE", &format!("/export/{id}"), &[], "").result(200);
    assert_eq!(removed["pruned"], false, "{removed}");
    assert!(objects.read(name) == other);
}

#[test]
fn another_object_of_the_same_length_is_not_downloaded_and_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let server = Server::with_store(folder.path(), [file.to_str().unwrap()]);
    is_left_alone(&server, &Folder(folder.path().join("store")));

    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path());
    let s3 = S3Server::start();
    let server = serve_s3(&s3, folder.path(), &[]);
    is_left_alone(&server, &s3);
}

/// The object of an old scheduled export, replaced, stays when retention has come to it.
fn retention_leaves_it(server: &Server, file: &Path, objects: &dyn Objects) {
    let began = Instant::now();
    let wait_for = |number: usize| loop {
        let all = server.get("/exports").result(200);
        let done = all.as_array().unwrap().iter().filter(|it| it["status"] == "done");
        if let Some(oldest) = done.clone().next_back()
            && done.count() >= number
        {
            return oldest.clone();
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{all}");
        sleep(Duration::from_millis(50));
    };
    let oldest = wait_for(1);
    let name = oldest["name"].as_str().unwrap();
    let other = objects.replace(name);
    Connection::open(file).unwrap().execute("INSERT INTO t VALUES (2)", []).unwrap();
    wait_for(2);
    let id = oldest["exportId"].as_str().unwrap();
    server.until(id, |status| status["prunedAt"].is_string());
    assert!(objects.read(name) == other);
}

#[test]
fn retention_leaves_another_object_of_the_same_length_alone() {
    let every = ["--every", "1s", "--jitter", "0s", "--keep", "1"];
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let own = [file.to_str().unwrap()];
    let server = Server::with_store(folder.path(), own.into_iter().chain(every));
    retention_leaves_it(&server, &file, &Folder(folder.path().join("store")));

    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let s3 = S3Server::start();
    let server = serve_s3(&s3, folder.path(), &every);
    retention_leaves_it(&server, &file, &s3);
}
