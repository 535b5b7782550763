//! Completing after a crash at every point, and other things that only folders do.

use std::fs;

use bytes::Bytes;
use futures_util::StreamExt;

use super::reading::PIECE;
use super::{FolderStore, sync_folder};
use crate::error::StoreError;
use crate::store::{Store, UploadId};

/// The steps of completing, as far as one of them.
async fn complete_up_to(store: &FolderStore, upload: &UploadId, length: u64, steps: u32) {
    let hidden = store.hidden(upload);
    if steps >= 1 {
        hidden.trim(length).await.unwrap();
    }
    if steps >= 2 {
        hidden.publish().await.unwrap();
    }
    if steps >= 3 {
        hidden.remove().await.unwrap();
    }
    if steps >= 4 {
        sync_folder(&store.folder).await.unwrap();
    }
}

#[tokio::test]
async fn completing_again_after_a_crash_at_any_point_makes_no_second_object() {
    for is_taken in [false, true] {
        for steps in 0..=4 {
            let folder = tempfile::tempdir().unwrap();
            let store = FolderStore::new(folder.path());
            let upload = store.begin("a.sql").await.unwrap();
            let bytes = Bytes::from_static(b"whole, and more");
            let part_ids = [store.write(&upload, 1, 0, bytes).await.unwrap()];
            if is_taken {
                // As long as ours, which can't be told by its length then.
                fs::write(folder.path().join("a.sql"), "other").unwrap();
            }
            complete_up_to(&store, &upload, 5, steps).await;
            if is_taken && steps >= 2 {
                // The first name being free again, ours must not get it as a second.
                fs::rename(folder.path().join("a.sql"), folder.path().join("b.sql")).unwrap();
            }
            let expected = if is_taken { "a-2.sql" } else { "a.sql" };
            for _ in 0..2 {
                let object = store.complete(&upload, &part_ids, 5).await.unwrap();
                assert_eq!(object.name, expected, "after {steps} steps");
            }
            assert_eq!(fs::read(folder.path().join(expected)).unwrap(), b"whole");
            let files = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files, 1 + usize::from(is_taken), "after {steps} steps");
        }
    }
}

/// Polls it some times, waiting in between for what it waits for.
async fn let_go_after<T>(polls: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn completing_that_is_let_go_of_anywhere_is_gone_on_with() {
    let mut ended = 0;
    for polls in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        let begun = let_go_after(polls, store.begin("a.sql")).await;
        ended += u32::from(begun.is_some());
        // The hidden file may be made on its thread after it is nobody's any more.
        let upload = match begun {
            Some(upload) => upload.unwrap(),
            None => store.begin("a.sql").await.unwrap(),
        };
        let bytes = Bytes::from_static(b"whole");
        let part_ids = [store.write(&upload, 1, 0, bytes).await.unwrap()];
        let completed = let_go_after(polls, store.complete(&upload, &part_ids, 5)).await;
        ended += u32::from(completed.is_some());
        assert_eq!(store.complete(&upload, &part_ids, 5).await.unwrap().name, "a.sql");
        assert_eq!(fs::read(folder.path().join("a.sql")).unwrap(), b"whole");
        // What was begun and let go of is found, and can be thrown away.
        for left in store.incomplete_uploads().await.unwrap() {
            store.abort(&left.upload).await.unwrap();
        }
        assert!(!folder.path().join("a-2.sql").exists());
    }
    assert!(ended > 2, "{ended}");
}

#[tokio::test]
async fn only_what_was_begun_here_counts_as_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::new(folder.path());
    for name in [".a.sql.abcdef.tmp", "a.sql", ".a.partway", ".abcdef.partway", ".a.abcde.partway"]
    {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join(".d.sql.abcdef.partway")).unwrap();
    assert_eq!(store.incomplete_uploads().await.unwrap(), []);
    let upload = store.begin("a.b.sql").await.unwrap();
    let unfinished = store.incomplete_uploads().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].upload, upload);
    assert!(unfinished[0].changed.elapsed().unwrap_or_default().as_secs() < 60);
}

#[tokio::test]
async fn an_object_is_read_in_pieces_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::new(folder.path());
    for length in [0, 1, PIECE, PIECE + 1, 2 * PIECE] {
        let whole: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        fs::write(folder.path().join("a.sql"), &whole).unwrap();
        let pieces: Vec<_> = store.read("a.sql").await.unwrap().collect().await;
        let pieces: Vec<Bytes> = pieces.into_iter().map(Result::unwrap).collect();
        assert!(pieces.iter().all(|piece| piece.len() as u64 <= PIECE));
        assert_eq!(pieces.concat(), whole);
    }
    let missing = store.read("b.sql").await.err().unwrap();
    assert!(matches!(missing, StoreError::NoObject { .. }), "{missing}");
}

#[tokio::test]
async fn another_object_of_the_name_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::new(folder.path());
    let upload = store.begin("a.sql").await.unwrap();
    store.write(&upload, 1, 0, Bytes::from_static(b"ours")).await.unwrap();
    fs::write(folder.path().join("a.sql"), "theirs").unwrap();
    assert_eq!(store.complete(&upload, &[], 4).await.unwrap().name, "a-2.sql");
    assert_eq!(fs::read(folder.path().join("a.sql")).unwrap(), b"theirs");
}
