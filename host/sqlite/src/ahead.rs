//! Batches read ahead of who asks for them: the queue between the thread that reads and the one that formats.
//!
//! Who asks takes from the queue itself: the other thread is asked for nothing as long as there is something in it, and
//! goes on reading meanwhile. It is woken to begin and when few are left, not for each that is taken. Nor is who asks woken
//! for each small batch: the reader holds them until it has some, or nothing else to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};

use crate::batch::{Keys, empty, key_at, place_of, tail};
use crate::key::Key;
use partway_wasmtime::rows::{Batch, Error as RowsError};

/// Room for batches that nobody looks at any more, of all scans together: as many as small tables hold at a time.
pub(crate) const MOST_USED: usize = 40;

/// So many wait at most, once somebody has asked; before that it is one. They even out what reading and formatting take from
/// batch to batch.
const MOST: usize = 4;

/// When so many are left, the reader goes on.
const FEW: usize = 2;

/// A batch, with the keys of its rows.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) batch: Arc<Batch>,
    pub(crate) keys: Keys,
}

impl Filled {
    /// What the end of a table gives.
    pub(crate) fn nothing() -> Self {
        Self { batch: Arc::new(empty()), keys: Keys::Ordinals(0) }
    }
}

/// A batch to fill anew.
pub(crate) type Used = (Batch, Keys);

#[derive(Default)]
struct Level {
    waiting: AtomicUsize,
    /// Whether anybody has asked for a batch yet.
    is_asked: AtomicBool,
    has_failed: AtomicBool,
    /// Whether the reader has stopped until few are left.
    rests: AtomicBool,
}

/// The reader's end.
pub(crate) struct Back {
    level: Arc<Level>,
    batches: Sender<Result<Filled, RowsError>>,
    /// What is not handed over yet.
    held: Vec<Result<Filled, RowsError>>,
}

/// The end of who asks. It outlives a slice, with what it has not used.
pub(crate) struct Front {
    level: Arc<Level>,
    batches: Receiver<Result<Filled, RowsError>>,
    used: SyncSender<Used>,
    /// Where the last batch begins.
    before: Key,
    last: Option<Filled>,
    /// What the slice before has left over of its last batch.
    left: Option<Filled>,
    /// How the rows have ended.
    ended: Option<Result<(), RowsError>>,
    /// What the reader was asked for when it began: the text and blob bytes of a batch.
    max_bytes: Option<u32>,
}

/// A queue of a scan that begins behind a key. `max_bytes`: what the reader begins with before anybody asks. Batches that are
/// done with go to `used`.
pub(crate) fn queue(before: Key, max_bytes: Option<u32>, used: SyncSender<Used>) -> (Front, Back) {
    let level = Arc::new(Level::default());
    let (sender, batches) = channel();
    let back = Back { level: level.clone(), batches: sender, held: Vec::new() };
    let front =
        Front { level, batches, used, before, last: None, left: None, ended: None, max_bytes };
    (front, back)
}

impl Back {
    /// Puts in a batch, an empty one where the table is at its end, or the failure that it ends with.
    pub(crate) fn put(&mut self, batch: Result<Filled, RowsError>) {
        if batch.is_err() {
            self.level.has_failed.store(true, Ordering::SeqCst);
        }
        self.level.waiting.fetch_add(1, Ordering::SeqCst);
        self.held.push(batch);
    }

    /// About how many bytes are not handed over yet.
    pub(crate) fn held_bytes(&self) -> usize {
        let batches = self.held.iter().flatten().map(|filled| &filled.batch);
        batches.map(|batch| batch.kinds.len() * size_of::<i64>() + batch.bytes.len()).sum()
    }

    /// Hands over what was put in.
    pub(crate) fn hand_over(&mut self) {
        for batch in self.held.drain(..) {
            // Who has gone away needs none.
            self.batches.send(batch).ok();
        }
    }

    /// Whether to read on. Where not, the other end says when.
    pub(crate) fn wants_more(&self) -> bool {
        let is_asked = || self.level.is_asked.load(Ordering::SeqCst);
        let most = if is_asked() { MOST } else { 1 };
        if self.level.waiting.load(Ordering::SeqCst) < most {
            return true;
        }
        self.level.rests.store(true, Ordering::SeqCst);
        // It may have taken some just before it could see that.
        is_asked() && self.level.waiting.load(Ordering::SeqCst) <= FEW && self.level.stop_resting()
    }
}

impl Level {
    fn stop_resting(&self) -> bool {
        self.rests.swap(false, Ordering::SeqCst)
    }
}

impl Front {
    /// The next batch; `wake` is called where the reader has to be told to read.
    pub(crate) fn next(
        &mut self,
        max_bytes: u32,
        wake: impl Fn(),
    ) -> Result<Arc<Batch>, RowsError> {
        if let Some(last) = self.last.take() {
            self.before = self.place(&last, last.batch.rows)?;
            if let Some(batch) = Arc::into_inner(last.batch) {
                self.used.try_send((batch, last.keys)).ok();
            }
        }
        let filled = match self.left.take() {
            Some(left) => left,
            None => self.receive(max_bytes, wake)?,
        };
        Ok(self.last.insert(filled).batch.clone())
    }

    fn receive(&mut self, max_bytes: u32, wake: impl Fn()) -> Result<Filled, RowsError> {
        if self.ended.is_none() {
            self.level.is_asked.store(true, Ordering::SeqCst);
            if self.max_bytes.is_none() {
                self.max_bytes = Some(max_bytes);
                wake();
            }
            match self.batches.recv().unwrap_or_else(|_| Err(gone())) {
                Ok(filled) if filled.batch.rows > 0 => {
                    let waiting = self.level.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
                    if waiting <= FEW && self.level.stop_resting() {
                        wake();
                    }
                    return Ok(filled);
                }
                end => self.ended = Some(end.map(drop)),
            }
        }
        match &self.ended {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(Filled::nothing()),
        }
    }

    /// The text and blob bytes of its batches, where that is known.
    pub(crate) fn max_bytes(&self) -> Option<u32> {
        self.max_bytes
    }

    /// Whether reading has failed, if only further ahead than anybody has asked for.
    pub(crate) fn has_failed(&self) -> bool {
        self.level.has_failed.load(Ordering::SeqCst)
    }

    /// Whether what it has in store was cut for batches of another size, and nothing of it has been handed out since the
    /// slice began.
    pub(crate) fn is_of_another_size(&self, max_bytes: u32) -> bool {
        self.last.is_none() && self.max_bytes.is_some_and(|begun| begun != max_bytes)
    }

    /// The place behind the first `rows` rows of the last batch.
    pub(crate) fn key(&self, rows: u32) -> Result<Key, RowsError> {
        match &self.last {
            Some(last) => self.place(last, rows),
            None if rows == 0 => Ok(self.before.clone()),
            None => Err(no_rows(rows)),
        }
    }

    fn place(&self, last: &Filled, rows: u32) -> Result<Key, RowsError> {
        let Some(row) = rows.checked_sub(1) else { return Ok(self.before.clone()) };
        Some(&last.keys)
            .filter(|_| rows <= last.batch.rows)
            .and_then(|keys| key_at(keys, row))
            .ok_or_else(|| no_rows(rows))
    }

    /// Goes on behind `key`, a place in the last batch, whose rest is handed out once more. False where it is none.
    pub(crate) fn go_on(&mut self, key: &Key, columns: usize) -> bool {
        let Some(Filled { batch, keys }) = self.last.take() else { return false };
        let used = if *key == self.before { Some(0) } else { place_of(&keys, batch.rows, key) };
        let Some(used) = used else { return false };
        if used < batch.rows {
            let batch = Arc::unwrap_or_clone(batch);
            let (batch, keys) = tail(batch, keys, used, columns);
            self.left = Some(Filled { batch: Arc::new(batch), keys });
        }
        self.before = key.clone();
        true
    }

    /// Whether anything was taken from it: else there is no use in keeping it for the next slice.
    pub(crate) fn has_begun(&self) -> bool {
        self.last.is_some()
    }
}

fn no_rows(rows: u32) -> RowsError {
    RowsError::InvalidCell(format!("the last batch has no {rows} rows"))
}

pub(crate) fn gone() -> RowsError {
    RowsError::Failed("the thread that reads the database has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// A queue whose reader begins when it is asked.
    fn asked(before: Key) -> (Front, Back) {
        queue(before, None, sync_channel(MOST_USED).0)
    }

    fn filled(rowid: i64) -> Filled {
        let batch = Batch { rows: 1, kinds: vec![1], integers: vec![rowid], ..empty() };
        Filled { batch: Arc::new(batch), keys: Keys::Rowids(vec![rowid]) }
    }

    #[test]
    fn the_reader_rests_when_it_is_far_ahead_and_is_woken_when_few_are_left() {
        let (mut front, mut back) = asked(Key::Start);
        let woken = std::cell::Cell::new(0);
        let wake = || woken.set(woken.get() + 1);
        let mut read = {
            let mut rowid = 0;
            move |back: &mut Back| {
                while back.wants_more() {
                    rowid += 1;
                    back.put(Ok(filled(rowid)));
                }
                back.hand_over();
                rowid
            }
        };
        // Of a scan that nobody has asked, one; and it rests already when it is asked.
        assert_eq!(read(&mut back), 1);
        assert_eq!(front.next(9, wake).unwrap().integers, [1]);
        assert_eq!(woken.replace(0), 2);
        assert_eq!(read(&mut back), 1 + MOST as i64);
        for taken in 1..=MOST {
            assert_eq!(front.next(9, wake).unwrap().integers, [1 + taken as i64]);
            // Once when few are left.
            assert_eq!(woken.get(), u32::from(MOST - taken <= FEW), "{taken} taken");
            assert_eq!(front.key(1).unwrap(), Key::Rowid(1 + taken as i64));
        }
        assert!(back.wants_more());
    }

    #[test]
    fn an_end_stays_and_a_reader_that_is_gone_is_a_failure() {
        let (mut front, mut back) = asked(Key::Rowid(3));
        back.put(Ok(Filled::nothing()));
        back.hand_over();
        for _ in 0..2 {
            assert_eq!(front.next(9, || ()).unwrap().rows, 0);
            assert_eq!(front.key(0).unwrap(), Key::Rowid(3));
        }
        let (mut front, back) = asked(Key::Start);
        drop(back);
        for _ in 0..2 {
            assert!(matches!(front.next(9, || ()), Err(RowsError::Failed(_))));
        }
    }

    #[test]
    fn what_a_slice_has_left_over_is_handed_out_once_more() {
        let (mut front, mut back) = asked(Key::Start);
        let batch = Batch { rows: 3, kinds: vec![1; 3], integers: vec![5, 6, 9], ..empty() };
        back.put(Ok(Filled { batch: Arc::new(batch), keys: Keys::Rowids(vec![5, 6, 9]) }));
        back.put(Ok(filled(11)));
        back.hand_over();
        front.next(9, || ()).unwrap();
        assert!(front.has_begun());
        assert!(front.go_on(&Key::Rowid(6), 1));
        assert_eq!(front.key(0).unwrap(), Key::Rowid(6));
        assert_eq!(front.next(9, || ()).unwrap().integers, [9]);
        assert_eq!(front.next(9, || ()).unwrap().integers, [11]);
        assert!(!front.go_on(&Key::Rowid(6), 1), "that place lies in another batch");
    }
}
