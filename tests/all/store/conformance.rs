//! What every store promises, against a folder, a server in this process and a real one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use partway_store::{FolderStore, PartId, Store, StoreError, UploadId};

use crate::support::{S3Server, contents, garage, runtime};

/// A store, one below it, and what they do where the name is taken.
struct Subject {
    store: Arc<dyn Store>,
    below: Arc<dyn Store>,
    takes_another_name: bool,
}

/// Bytes of a part, which differ by their seed.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8 ^ seed).collect()
}

async fn begun(store: &Arc<dyn Store>) -> Vec<UploadId> {
    let unfinished = store.incomplete_uploads().await.unwrap();
    assert!(unfinished.is_sorted_by_key(|unfinished| unfinished.changed), "{unfinished:?}");
    let mut uploads: Vec<UploadId> = unfinished
        .into_iter()
        .map(|unfinished| {
            let now = SystemTime::now();
            let hour = Duration::from_secs(3600);
            assert!(unfinished.changed > now - hour && unfinished.changed < now + hour);
            unfinished.upload
        })
        .collect();
    uploads.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    uploads
}

/// Writes an object of two parts; the first is written over another, and behind the second.
async fn write(store: &Arc<dyn Store>, upload: &UploadId, seed: u8) -> (Vec<PartId>, Vec<u8>) {
    let size = store.limits().smallest_part as usize;
    let (first, second) = (bytes(size, seed), bytes(100, seed ^ 1));
    store.write(upload, 1, 0, bytes(size, seed ^ 2).into()).await.unwrap();
    let two = store.write(upload, 2, size as u64, second.clone().into()).await.unwrap();
    let one = store.write(upload, 1, 0, first.clone().into()).await.unwrap();
    store.sync(upload).await.unwrap();
    store.sync(upload).await.unwrap();
    (vec![one, two], [first, second].concat())
}

async fn conforms(subject: Subject) {
    an_object_appears_whole_when_it_is_completed(&subject).await;
    uploads_are_listed_until_they_end(&subject).await;
    an_upload_that_is_gone_says_so(&subject).await;
    another_object_of_the_name_is_left_alone(&subject).await;
    a_version_tells_objects_of_one_name_and_length_apart(&subject.store).await;
    what_is_deleted_is_gone(&subject.store).await;
}

async fn an_object_appears_whole_when_it_is_completed(subject: &Subject) {
    let store = &subject.store;
    assert_eq!(store.free_name("a.sql").await.unwrap(), "a.sql");
    let upload = store.begin("a.sql").await.unwrap();
    assert_eq!(upload.name, "a.sql");
    let (part_ids, whole) = write(store, &upload, 7).await;
    let missing = store.read("a.sql").await.err().unwrap();
    assert!(matches!(missing, StoreError::NoObject { .. }), "{missing}");
    assert!(!missing.is_transient());
    for _ in 0..3 {
        let object = store.complete(&upload, &part_ids, whole.len() as u64).await.unwrap();
        assert_eq!(object.name, "a.sql");
        assert!(contents(store, "a.sql").await.unwrap() == whole);
    }
    ranges_are_read(store, &whole).await;
    assert_eq!(store.free_name("a.sql").await.unwrap(), "a-2.sql");
    // What has become an object is not thrown away with the upload, of which there is none any more.
    assert!(!store.abort(&upload).await.unwrap());
    assert!(contents(store, "a.sql").await.unwrap() == whole);
    assert_eq!(begun(store).await, []);
}

async fn ranges_are_read(store: &Arc<dyn Store>, whole: &[u8]) {
    let length = whole.len() as u64;
    assert_eq!(store.stat("a.sql").await.unwrap().length, length);
    for range in [0..1, 1..4000, length - 101..length - 99, length - 1..length, 0..length, 7..7] {
        let pieces = store.read_range("a.sql", range.clone()).await.unwrap();
        let pieces: Vec<_> = pieces.map(Result::unwrap).collect().await;
        assert!(pieces.concat() == whole[range.start as usize..range.end as usize], "{range:?}");
    }
    let missing = [
        store.stat("b.sql").await.err().unwrap(),
        store.read_range("b.sql", 0..1).await.err().unwrap(),
    ];
    for error in missing {
        assert!(matches!(error, StoreError::NoObject { .. }), "{error}");
    }
}

async fn what_is_deleted_is_gone(store: &Arc<dyn Store>) {
    for _ in 0..2 {
        store.delete("a.sql").await.unwrap();
        let missing = store.stat("a.sql").await.err().unwrap();
        assert!(matches!(missing, StoreError::NoObject { .. }), "{missing}");
    }
    assert_eq!(store.free_name("a.sql").await.unwrap(), "a.sql");
    assert!(store.is_taken("e.sql").await.unwrap());
}

async fn uploads_are_listed_until_they_end(subject: &Subject) {
    let store = &subject.store;
    let mut uploads = Vec::new();
    // Of one name too, and more than a page of any server here that has small ones.
    for name in ["c.sql", "c.sql", "c.sql", "täg lich+%41&<1>.sql", "z"] {
        uploads.push(store.begin(name).await.unwrap());
    }
    uploads.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let below = subject.below.begin("below.sql").await.unwrap();
    assert_eq!(begun(store).await, uploads);
    assert_eq!(begun(&subject.below).await, [below]);
    while let Some(upload) = uploads.pop() {
        assert!(store.abort(&upload).await.unwrap());
        assert_eq!(begun(store).await, uploads);
    }
    for upload in begun(&subject.below).await {
        subject.below.abort(&upload).await.unwrap();
    }
    assert_eq!(begun(&subject.below).await, []);
}

async fn an_upload_that_is_gone_says_so(subject: &Subject) {
    let store = &subject.store;
    let upload = store.begin("d.sql").await.unwrap();
    let (part_ids, whole) = write(store, &upload, 9).await;
    for is_there in [true, false] {
        assert_eq!(store.abort(&upload).await.unwrap(), is_there);
    }
    let written = store.write(&upload, 1, 0, bytes(100, 0).into()).await.map(drop);
    let completed = store.complete(&upload, &part_ids, whole.len() as u64).await.map(drop);
    for outcome in [written, completed] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::UploadGone { .. }), "{error}");
        assert!(!error.is_transient());
    }
    let missing = store.read("d.sql").await.err().unwrap();
    assert!(matches!(missing, StoreError::NoObject { .. }), "{missing}");
}

/// Also one that is as long, and came by as many parts.
async fn another_object_of_the_name_is_left_alone(subject: &Subject) {
    let store = &subject.store;
    let (theirs, ours) = (store.begin("e.sql").await.unwrap(), store.begin("e.sql").await.unwrap());
    let (their_part_ids, their_bytes) = write(store, &theirs, 11).await;
    let (our_part_ids, our_bytes) = write(store, &ours, 12).await;
    let length = our_bytes.len() as u64;
    assert_eq!(their_bytes.len() as u64, length);
    assert_eq!(store.complete(&theirs, &their_part_ids, length).await.unwrap().name, "e.sql");
    for _ in 0..2 {
        let completed = store.complete(&ours, &our_part_ids, length).await;
        if subject.takes_another_name {
            assert_eq!(completed.unwrap().name, "e-2.sql");
            assert!(contents(store, "e-2.sql").await.unwrap() == our_bytes);
        } else {
            let error = completed.unwrap_err();
            assert!(matches!(error, StoreError::Taken { .. }), "{error}");
            assert!(!error.is_transient());
        }
        assert!(contents(store, "e.sql").await.unwrap() == their_bytes);
        assert_eq!(store.complete(&theirs, &their_part_ids, length).await.unwrap().name, "e.sql");
    }
    store.abort(&ours).await.unwrap();
    assert_eq!(begun(store).await, []);
}

/// The name, the length and the number of parts are the same.
async fn a_version_tells_objects_of_one_name_and_length_apart(store: &Arc<dyn Store>) {
    let mut versions = Vec::new();
    for seed in [20, 21] {
        let upload = store.begin("v.sql").await.unwrap();
        let (part_ids, whole) = write(store, &upload, seed).await;
        let length = whole.len() as u64;
        let object = store.complete(&upload, &part_ids, length).await.unwrap();
        // However it is asked for, and after it was read.
        let again = store.complete(&upload, &part_ids, length).await.unwrap();
        let found = store.find_completed(&upload, &part_ids, length).await.unwrap();
        assert!(contents(store, "v.sql").await.unwrap() == whole);
        let stat = store.stat("v.sql").await.unwrap();
        assert_eq!(stat.length, length);
        assert_eq!([&object, &again, &found.unwrap()].map(|it| &it.version), [&stat.version; 3]);
        assert!(stat.version.is_some());
        versions.push(stat.version);
        store.delete("v.sql").await.unwrap();
    }
    assert_ne!(versions[0], versions[1]);
}

#[test]
fn a_folder_keeps_what_a_store_promises() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    runtime().block_on(conforms(Subject {
        store: Arc::new(FolderStore::new(folder.path())),
        below: Arc::new(FolderStore::new(&below)),
        takes_another_name: true,
    }));
}

#[test]
fn a_server_of_s3_keeps_what_a_store_promises() {
    let server = S3Server::start();
    // A bucket without a prefix, and prefixes of more than one step and of odd letters.
    for prefix in ["", "nightly", "a b/ü+1"] {
        runtime().block_on(conforms(Subject {
            store: Arc::new(server.store(prefix)),
            below: Arc::new(server.store(format!("{prefix}/below").trim_start_matches('/'))),
            takes_another_name: false,
        }));
    }
}

#[test]
fn garage_keeps_what_a_store_promises() {
    let Some(server) = garage() else { return };
    for name in ["conformance", "con for/mänce+1"] {
        let prefix = server.prefix(name);
        runtime().block_on(conforms(Subject {
            store: Arc::new(server.store(&prefix)),
            below: Arc::new(server.store(&format!("{prefix}/below"))),
            takes_another_name: false,
        }));
    }
}
