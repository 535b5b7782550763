//! The queue of batches between the thread that reads a table and the cursor that hands them out.
//!
//! The cursor takes batches from the queue itself. As long as there are some, the thread is not
//! asked for more and continues to read. It is woken to start, and when few batches are left, not
//! for each batch taken. Nor does each small batch wake the cursor: the thread holds batches back
//! until they are worth it, or until it has nothing else to do.
//!
//! The channel is that of `futures-channel`. Tokio's counts against a task's budget: code that
//! blocks inside a task, as the synchronous linker may, would hang once the budget is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use crate::error::reader_has_ended;
use crate::keyed_batch::{KeyedBatch, SpareBatch};
use crate::position::Position;
use partway_wasmtime::rows::{Batch, Error as RowsError};

/// How many batches are read ahead once the cursor has asked for one; before that it is one. They even out
/// what reading and formatting take from batch to batch.
const MAX_BATCHES_AHEAD: usize = 4;

/// When no more batches than this are left, the thread reads on.
const REFILL_BATCHES: usize = 2;

/// What the thread has read of a table.
pub(crate) enum Reading {
    /// Some rows.
    Rows(KeyedBatch),
    /// A place where the table is damaged; what follows comes after this position behind it.
    Damage(RowsError, Position),
    /// The end of the table, or the failure that ends its rows.
    End(Result<(), RowsError>),
}

/// What both ends know of the queue.
#[derive(Default)]
struct QueueState {
    /// Batches that the thread has read and the cursor has not taken.
    waiting: AtomicUsize,
    /// Whether the cursor has asked for a batch yet.
    is_requested: AtomicBool,
    has_failed: AtomicBool,
    /// Whether the thread has stopped until few batches are left.
    is_paused: AtomicBool,
}

/// The end of the thread that reads.
pub(crate) struct BatchSender {
    state: Arc<QueueState>,
    batches: UnboundedSender<Reading>,
    /// What is kept back for now.
    unsent: Vec<Reading>,
}

/// The cursor's end. It may outlive the cursor, and then holds what the cursor has not used.
pub(crate) struct BatchReceiver {
    state: Arc<QueueState>,
    batches: UnboundedReceiver<Reading>,
    spare: SyncSender<SpareBatch>,
    /// Where the last batch starts, or the next one where there is no last batch.
    start: Position,
    last: Option<KeyedBatch>,
    /// What the last slice has not used of its last batch.
    leftover: Option<KeyedBatch>,
    /// How the rows have ended.
    end: Option<Result<(), RowsError>>,
    /// The text and blob bytes of a batch, where the thread has been told.
    max_bytes: Option<u32>,
}

/// A queue of the rows after a position. `max_bytes`: the text and blob bytes of a batch, where the thread
/// starts before the cursor asks. The memory of batches that are used up goes to `spare`.
pub(crate) fn batch_queue(
    after: Position,
    max_bytes: Option<u32>,
    spare: SyncSender<SpareBatch>,
) -> (BatchSender, BatchReceiver) {
    let state = Arc::new(QueueState::default());
    let (sender, batches) = unbounded();
    let sender = BatchSender { state: state.clone(), batches: sender, unsent: Vec::new() };
    let receiver = BatchReceiver {
        state,
        batches,
        spare,
        start: after,
        last: None,
        leftover: None,
        end: None,
        max_bytes,
    };
    (sender, receiver)
}

impl BatchSender {
    /// Adds what was read. It is sent by [`flush`](Self::flush).
    pub(crate) fn push(&mut self, reading: Reading) {
        if matches!(reading, Reading::Damage(..) | Reading::End(Err(_))) {
            self.state.has_failed.store(true, Ordering::SeqCst);
        }
        self.state.waiting.fetch_add(1, Ordering::SeqCst);
        self.unsent.push(reading);
    }

    /// About how many bytes are not sent yet.
    pub(crate) fn unsent_bytes(&self) -> usize {
        let bytes = |reading: &Reading| match reading {
            Reading::Rows(KeyedBatch { batch, .. }) => {
                batch.kinds.len() * size_of::<i64>() + batch.bytes.len()
            }
            Reading::Damage(..) | Reading::End(_) => 0,
        };
        self.unsent.iter().map(bytes).sum()
    }

    /// Sends what was pushed, and wakes the cursor if it waits.
    pub(crate) fn flush(&mut self) {
        for batch in self.unsent.drain(..) {
            // A cursor that is gone needs none.
            self.batches.unbounded_send(batch).ok();
        }
    }

    /// Whether to read on. Where not, the other end says when.
    pub(crate) fn wants_more(&self) -> bool {
        let is_requested = || self.state.is_requested.load(Ordering::SeqCst);
        let most = if is_requested() { MAX_BATCHES_AHEAD } else { 1 };
        if self.state.waiting.load(Ordering::SeqCst) < most {
            return true;
        }
        self.state.is_paused.store(true, Ordering::SeqCst);
        // The cursor may have taken some just before it could see that.
        is_requested()
            && self.state.waiting.load(Ordering::SeqCst) <= REFILL_BATCHES
            && self.state.end_pause()
    }
}

impl QueueState {
    /// Ends the thread's pause; false: it has none, or the other end has ended it.
    fn end_pause(&self) -> bool {
        self.is_paused.swap(false, Ordering::SeqCst)
    }
}

impl BatchReceiver {
    /// The next batch. `wake` is called where the thread has to be told to read. Dropping the future loses no
    /// rows.
    pub(crate) async fn next(
        &mut self,
        max_bytes: u32,
        wake: impl Fn(),
    ) -> Result<Arc<Batch>, RowsError> {
        if let Some(last) = self.last.take() {
            self.start = self.position_in(&last, last.batch.rows)?;
            if let Some(spare) = last.into_spare() {
                self.spare.try_send(spare).ok();
            }
        }
        let next = match self.leftover.take() {
            Some(leftover) => leftover,
            None => self.receive(max_bytes, wake).await?,
        };
        Ok(self.last.insert(next).batch.clone())
    }

    async fn receive(&mut self, max_bytes: u32, wake: impl Fn()) -> Result<KeyedBatch, RowsError> {
        if self.end.is_none() {
            self.state.is_requested.store(true, Ordering::SeqCst);
            if self.max_bytes.is_none() {
                self.max_bytes = Some(max_bytes);
                wake();
            }
            let ended = |_| Reading::End(Err(reader_has_ended()));
            let reading = self.batches.recv().await.unwrap_or_else(ended);
            if !matches!(reading, Reading::End(_)) {
                let waiting = self.state.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
                if waiting <= REFILL_BATCHES && self.state.end_pause() {
                    wake();
                }
            }
            match reading {
                Reading::Rows(keyed) => return Ok(keyed),
                Reading::Damage(error, behind) => {
                    self.start = behind;
                    return Err(error);
                }
                Reading::End(end) => self.end = Some(end),
            }
        }
        match &self.end {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(KeyedBatch::end()),
        }
    }

    /// The text and blob bytes of its batches, where that is known.
    pub(crate) fn max_bytes(&self) -> Option<u32> {
        self.max_bytes
    }

    /// Whether reading has failed, if only further ahead than the cursor has come.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.has_failed.load(Ordering::SeqCst)
    }

    /// Whether its batches are read for another `max_bytes`, and the cursor holds none of them.
    pub(crate) fn has_other_size(&self, max_bytes: u32) -> bool {
        self.last.is_none() && self.max_bytes.is_some_and(|known| known != max_bytes)
    }

    /// The position after the first `rows` rows of the last batch.
    pub(crate) fn position(&self, rows: u32) -> Result<Position, RowsError> {
        match &self.last {
            Some(last) => self.position_in(last, rows),
            None if rows == 0 => Ok(self.start.clone()),
            None => Err(no_such_rows(rows)),
        }
    }

    fn position_in(&self, last: &KeyedBatch, rows: u32) -> Result<Position, RowsError> {
        if rows == 0 {
            return Ok(self.start.clone());
        }
        last.position_after(rows).ok_or_else(|| no_such_rows(rows))
    }

    /// Continues after a position in the last batch: the rest of that batch is handed out again. False where
    /// it is no such position; then the queue is of no further use.
    pub(crate) fn resume(&mut self, after: &Position, columns: usize) -> bool {
        let Some(last) = self.last.take() else { return false };
        let used = match *after == self.start {
            true => Some(0),
            false => last.keys.rows_before(after, last.batch.rows),
        };
        let Some(used) = used else { return false };
        if used < last.batch.rows {
            self.leftover = Some(last.without_first(used, columns));
        }
        self.start = after.clone();
        true
    }

    /// Whether the cursor holds a batch of it: else there is no use in keeping it for the next slice.
    pub(crate) fn has_last_batch(&self) -> bool {
        self.last.is_some()
    }
}

fn no_such_rows(rows: u32) -> RowsError {
    RowsError::InvalidCell(format!("the last batch has no {rows} rows"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use pollster::block_on;

    use super::*;
    use crate::row_keys::RowKeys;

    /// A queue whose reader begins when it is asked.
    fn asked(after: Position) -> (BatchSender, BatchReceiver) {
        batch_queue(after, None, sync_channel(1).0)
    }

    fn keyed(rowid: i64) -> KeyedBatch {
        let batch = Batch { rows: 1, kinds: vec![1], integers: vec![rowid], ..Batch::default() };
        KeyedBatch { batch: Arc::new(batch), keys: RowKeys::Rowids(vec![rowid]) }
    }

    #[test]
    fn the_reader_rests_when_it_is_far_ahead_and_is_woken_when_few_are_left() {
        let (mut sender, mut receiver) = asked(Position::Start);
        let woken = std::cell::Cell::new(0);
        let wake = || woken.set(woken.get() + 1);
        let mut read = {
            let mut rowid = 0;
            move |sender: &mut BatchSender| {
                while sender.wants_more() {
                    rowid += 1;
                    sender.push(Reading::Rows(keyed(rowid)));
                }
                sender.flush();
                rowid
            }
        };
        // One of a scan that nobody has asked for a batch; then the reader rests already when it is asked.
        assert_eq!(read(&mut sender), 1);
        assert_eq!(block_on(receiver.next(9, wake)).unwrap().integers, [1]);
        assert_eq!(woken.replace(0), 2);
        assert_eq!(read(&mut sender), 1 + MAX_BATCHES_AHEAD as i64);
        for taken in 1..=MAX_BATCHES_AHEAD {
            assert_eq!(block_on(receiver.next(9, wake)).unwrap().integers, [1 + taken as i64]);
            // Once when few are left.
            assert_eq!(
                woken.get(),
                u32::from(MAX_BATCHES_AHEAD - taken <= REFILL_BATCHES),
                "{taken} taken"
            );
            assert_eq!(receiver.position(1).unwrap(), Position::Rowid(1 + taken as i64));
        }
        assert!(sender.wants_more());
    }

    #[test]
    fn an_end_stays_and_a_reader_that_is_gone_is_a_failure() {
        let (mut sender, mut receiver) = asked(Position::Rowid(3));
        sender.push(Reading::End(Ok(())));
        sender.flush();
        for _ in 0..2 {
            assert_eq!(block_on(receiver.next(9, || ())).unwrap().rows, 0);
            assert_eq!(receiver.position(0).unwrap(), Position::Rowid(3));
        }
        let (sender, mut receiver) = asked(Position::Start);
        drop(sender);
        for _ in 0..2 {
            assert!(matches!(block_on(receiver.next(9, || ())), Err(RowsError::Failed(_))));
        }
    }

    #[test]
    fn rows_behind_damage_follow_it_from_a_position_of_their_own() {
        let (mut sender, mut receiver) = asked(Position::Start);
        sender.push(Reading::Rows(keyed(3)));
        sender.push(Reading::Damage(RowsError::Corrupt("torn".into()), Position::RowidFrom(9)));
        sender.push(Reading::Rows(keyed(11)));
        sender.push(Reading::End(Ok(())));
        sender.flush();
        assert_eq!(block_on(receiver.next(9, || ())).unwrap().integers, [3]);
        assert!(matches!(block_on(receiver.next(9, || ())), Err(RowsError::Corrupt(_))));
        assert_eq!(receiver.position(0).unwrap(), Position::RowidFrom(9));
        assert_eq!(block_on(receiver.next(9, || ())).unwrap().integers, [11]);
        assert_eq!(receiver.position(0).unwrap(), Position::RowidFrom(9));
        assert_eq!(receiver.position(1).unwrap(), Position::Rowid(11));
        assert_eq!(block_on(receiver.next(9, || ())).unwrap().rows, 0);
    }

    #[test]
    fn what_a_slice_has_left_over_is_handed_out_once_more() {
        let (mut sender, mut receiver) = asked(Position::Start);
        let batch =
            Batch { rows: 3, kinds: vec![1; 3], integers: vec![5, 6, 9], ..Batch::default() };
        let keys = RowKeys::Rowids(vec![5, 6, 9]);
        sender.push(Reading::Rows(KeyedBatch { batch: Arc::new(batch), keys }));
        sender.push(Reading::Rows(keyed(11)));
        sender.flush();
        block_on(receiver.next(9, || ())).unwrap();
        assert!(receiver.has_last_batch());
        assert!(receiver.resume(&Position::Rowid(6), 1));
        assert_eq!(receiver.position(0).unwrap(), Position::Rowid(6));
        assert_eq!(block_on(receiver.next(9, || ())).unwrap().integers, [9]);
        assert_eq!(block_on(receiver.next(9, || ())).unwrap().integers, [11]);
        assert!(!receiver.resume(&Position::Rowid(6), 1), "that place lies in another batch");
    }
}
