//! What a snapshot's clones and cursors share: the connection to the thread, and what one scan
//! leaves for the next.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_channel::oneshot;
use rusqlite::InterruptHandle;

use crate::catalog::Catalog;
use crate::error::reader_has_ended;
use crate::keyed_batch::SpareBatch;
use crate::paused_scan::PausedScan;
use crate::request::{Reply, Request};
use crate::row_limit::MAX_LOADED_ROW;
use partway_wasmtime::rows::Error as RowsError;

/// How many used batches are kept for their memory, of all scans together: as many as small tables hold at a
/// time.
const MAX_SPARE_BATCHES: usize = 40;

/// The shared state of a snapshot. The thread that reads ends when this is dropped.
pub(crate) struct SharedState {
    requests: Sender<Request>,
    /// Known once somebody has asked for it.
    catalog: OnceLock<Arc<Catalog>>,
    interrupt_handle: InterruptHandle,
    /// Whether no copy is to be made any more.
    stop_copying: Arc<AtomicBool>,
    interruptions: AtomicU32,
    /// Whether the transaction that held the state has ended.
    is_lost: Arc<AtomicBool>,
    /// The text and blob bytes of a batch that were last asked for; 0: none were.
    max_bytes: AtomicU32,
    /// The most bytes of a row that is loaded whole.
    max_loaded_row: Arc<AtomicU64>,
    /// Cursors' numbers count from 1.
    last_cursor: AtomicU64,
    spare: SyncSender<SpareBatch>,
    paused: Mutex<Option<PausedScan>>,
}

impl SharedState {
    /// The state, and what the thread that reads receives: requests, and the memory of used batches.
    pub(crate) fn new(
        interrupt_handle: InterruptHandle,
    ) -> (Self, Receiver<Request>, Receiver<SpareBatch>) {
        let (requests, request_receiver) = channel();
        let (spare, spare_receiver) = sync_channel(MAX_SPARE_BATCHES);
        let state = Self {
            requests,
            catalog: OnceLock::new(),
            interrupt_handle,
            stop_copying: Arc::default(),
            interruptions: AtomicU32::new(0),
            is_lost: Arc::default(),
            max_bytes: AtomicU32::new(0),
            max_loaded_row: Arc::new(AtomicU64::new(MAX_LOADED_ROW)),
            last_cursor: AtomicU64::new(0),
            spare,
            paused: Mutex::default(),
        };
        (state, request_receiver, spare_receiver)
    }

    /// Tells the thread something. Where it is gone, the cursor's queue says so.
    pub(crate) fn send(&self, request: Request) {
        self.requests.send(request).ok();
    }

    /// Asks the thread, and awaits its answer.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, RowsError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).map_err(|_| reader_has_ended())?;
        answer.await.map_err(|_| reader_has_ended())?
    }

    /// The schema. The thread reads it once: no caller waits for another one to be polled.
    pub(crate) async fn catalog(&self) -> Result<Arc<Catalog>, RowsError> {
        if let Some(catalog) = self.catalog.get() {
            return Ok(catalog.clone());
        }
        let catalog = self.ask(Request::Describe).await?;
        Ok(self.catalog.get_or_init(|| catalog).clone())
    }

    /// Ends the read that is under way, and every copy.
    pub(crate) fn interrupt(&self) {
        self.interruptions.fetch_add(1, Ordering::Relaxed);
        self.interrupt_handle.interrupt();
        self.stop_copying.store(true, Ordering::Relaxed);
    }

    /// Set once the transaction that held the state has ended.
    pub(crate) fn is_lost(&self) -> &Arc<AtomicBool> {
        &self.is_lost
    }

    /// The most bytes of a row that is loaded whole.
    pub(crate) fn max_loaded_row(&self) -> &Arc<AtomicU64> {
        &self.max_loaded_row
    }

    /// How many interruptions there were.
    pub(crate) fn interruptions(&self) -> u32 {
        self.interruptions.load(Ordering::Relaxed)
    }

    /// Set when a copy is to stop.
    pub(crate) fn stop_copying(&self) -> Arc<AtomicBool> {
        self.stop_copying.clone()
    }

    /// The text and blob bytes of a batch that were last asked for.
    pub(crate) fn max_bytes(&self) -> Option<u32> {
        Some(self.max_bytes.load(Ordering::Relaxed)).filter(|max| *max > 0)
    }

    pub(crate) fn set_max_bytes(&self, max_bytes: u32) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// A number for a new cursor.
    pub(crate) fn next_cursor(&self) -> u64 {
        self.last_cursor.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Where used batches go.
    pub(crate) fn spare(&self) -> SyncSender<SpareBatch> {
        self.spare.clone()
    }

    /// Keeps a scan for the next slice, and returns the one that was kept before.
    pub(crate) fn pause(&self, scan: PausedScan) -> Option<PausedScan> {
        self.paused().replace(scan)
    }

    /// The scan that was kept last.
    pub(crate) fn take_paused(&self) -> Option<PausedScan> {
        self.paused().take()
    }

    fn paused(&self) -> MutexGuard<'_, Option<PausedScan>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
