//! Two exports to one name of a bucket at the same time, which know nothing of each other.

use std::sync::Arc;
use std::thread;

use partway_store::{CompletedObject, PartId, Store, StoreError, UploadId};

use crate::support::{Program, S3Server, contents, database, garage, runtime};

/// An upload whose only part is written.
async fn written(store: &Arc<dyn Store>, bytes: &[u8]) -> (UploadId, Vec<PartId>) {
    let upload = store.begin("a.sql").await.unwrap();
    let part = store.write(&upload, 1, 0, bytes.to_vec().into()).await.unwrap();
    (upload, vec![part])
}

/// Completes two uploads of the same length to one name, at the same time; with what each has written.
async fn race(stores: &[Arc<dyn Store>; 2]) -> [(Result<CompletedObject, StoreError>, Vec<u8>); 2] {
    let bytes = [vec![b'1'; 1000], vec![b'2'; 1000]];
    let one = written(&stores[0], &bytes[0]).await;
    let other = written(&stores[1], &bytes[1]).await;
    let (first, second) = tokio::join!(
        stores[0].complete(&one.0, &one.1, 1000),
        stores[1].complete(&other.0, &other.1, 1000)
    );
    for (store, upload) in stores.iter().zip([&one.0, &other.0]) {
        store.abort(upload).await.unwrap();
    }
    let [first_bytes, second_bytes] = bytes;
    [(first, first_bytes), (second, second_bytes)]
}

/// What both outcomes must be, whatever the server. Gives how many were told that the object is theirs.
async fn check(
    store: &Arc<dyn Store>,
    outcomes: [(Result<CompletedObject, StoreError>, Vec<u8>); 2],
) -> usize {
    let present = contents(store, "a.sql").await.unwrap();
    let stat = store.stat("a.sql").await.unwrap();
    let mut completed = 0;
    let mut owners = 0;
    for (outcome, bytes) in outcomes {
        match outcome {
            Ok(object) => {
                completed += 1;
                // Whoever was written over finds out by the version.
                assert_eq!(object.version == stat.version, bytes == present);
                owners += u32::from(bytes == present);
            }
            Err(error) => assert!(matches!(error, StoreError::Taken { .. }), "{error}"),
        }
    }
    assert_eq!(owners, 1, "the object is nobody's");
    completed
}

#[test]
fn of_two_uploads_to_one_name_a_server_that_knows_conditions_completes_one() {
    let server = S3Server::start();
    let stores: [Arc<dyn Store>; 2] = [0, 1].map(|_| Arc::new(server.store("nightly")) as _);
    runtime().block_on(async {
        for _ in 0..30 {
            let outcomes = race(&stores).await;
            assert_eq!(check(&stores[0], outcomes).await, 1);
            stores[0].delete("a.sql").await.unwrap();
        }
    });
    assert!(server.refused() > 0, "they were never completed at the same time");
}

#[test]
fn an_upload_that_another_has_written_over_in_garage_is_known_by_its_version() {
    let Some(garage) = garage() else { return };
    let prefix = garage.prefix("race");
    let stores: [Arc<dyn Store>; 2] = [0, 1].map(|_| Arc::new(garage.store(&prefix)) as _);
    let mut both = 0;
    runtime().block_on(async {
        for _ in 0..30 {
            let outcomes = race(&stores).await;
            both += u32::from(check(&stores[0], outcomes).await == 2);
            stores[0].delete("a.sql").await.unwrap();
        }
    });
    println!("both were completed {both} times of 30");
}

#[test]
fn two_exports_to_one_name_from_two_machines_make_two_objects() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let name = format!("round-{round}.sql");
        let export = |machine: u32| {
            // A state folder of its own, as on a machine of its own.
            let own = folder.path().join(format!("{round}-{machine}"));
            std::fs::create_dir(&own).unwrap();
            let file = own.join("small.db");
            drop(database(
                &file,
                &format!("CREATE TABLE t (a); INSERT INTO t VALUES ({machine});"),
            ));
            let program = Program::export(&file, "s3://exports/nightly", &own);
            server.with(program.with(["--name", name.as_str()])).succeed()
        };
        let summaries = thread::scope(|scope| {
            let running = [1, 2].map(|machine| scope.spawn(move || export(machine)));
            running.map(|thread| thread.join().unwrap())
        });
        for summary in &summaries {
            let location = summary["location"].as_str().unwrap();
            let object = server.object(location.rsplit('/').next().unwrap());
            assert_eq!(crate::support::sha256(&object), summary["sha256"].as_str().unwrap());
        }
        assert_ne!(summaries[0]["location"], summaries[1]["location"]);
    }
}
