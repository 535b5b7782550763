//! A scan of one table, on the side of who asks.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::ahead::{Front, gone, queue};
use crate::key::Key;
use crate::long::Piece;
use crate::parked::Parked;
use crate::reader::{Open, Request, ask};
use crate::scan::Scan;
use crate::snapshot::About;
use partway_wasmtime::async_trait;
use partway_wasmtime::rows::Cursor;
use partway_wasmtime::rows::{Batch, Error as RowsError};

/// A scan whose rows another thread reads. Nothing is waited for when it is opened.
pub(crate) struct CursorHandle {
    requests: Sender<Request>,
    about: Arc<About>,
    /// As many reads had been ended when it was opened.
    interrupts: u32,
    scan: Arc<Scan>,
    from: Key,
    number: u64,
    /// None when it is closed.
    front: Option<Front>,
}

impl CursorHandle {
    /// Opens a scan behind a key, or goes on with the one that the slice before has left there.
    pub(crate) fn open(
        requests: &Sender<Request>,
        about: &Arc<About>,
        scan: Scan,
        from: Key,
    ) -> Self {
        let mut handle = Self {
            requests: requests.clone(),
            about: about.clone(),
            interrupts: about.interrupts(),
            scan: Arc::new(scan),
            from,
            number: 0,
            front: None,
        };
        if !handle.go_on() {
            // As the scan before was read, so most likely this one will be.
            handle.open_anew(about.max_bytes());
        }
        handle
    }

    /// Takes over what is parked; false: that is of no use here.
    fn go_on(&mut self) -> bool {
        let Some(parked) = self.about.take_parked() else { return false };
        let cursor = parked.cursor;
        let Some(front) = parked.go_on(&self.scan, &self.from, self.interrupts) else {
            self.ask(Request::Close { cursor });
            return false;
        };
        if let Some(max_bytes) = front.max_bytes() {
            self.ask(Request::Read { cursor, max_bytes });
        }
        self.number = cursor;
        self.front = Some(front);
        true
    }

    /// Opens it without what an earlier scan has left. `max_bytes`: reading begins before anybody asks, for batches of this
    /// size.
    fn open_anew(&mut self, max_bytes: Option<u32>) {
        let (front, back) = queue(self.from.clone(), max_bytes, self.about.used());
        self.number = self.about.next_cursor();
        self.front = Some(front);
        let (cursor, scan, after) = (self.number, self.scan.clone(), self.from.clone());
        self.ask(Request::Open(Open { cursor, scan, after, back, max_bytes }));
    }

    /// Where the thread is gone, the queue says so.
    fn ask(&self, request: Request) {
        self.requests.send(request).ok();
    }

    fn key(&self, rows: u32) -> Result<Key, RowsError> {
        self.front.as_ref().ok_or_else(gone)?.key(rows)
    }
}

#[async_trait]
impl Cursor for CursorHandle {
    async fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, RowsError> {
        if self.front.as_ref().is_some_and(|front| front.is_of_another_size(max_bytes)) {
            // That was read for another export.
            self.ask(Request::Close { cursor: self.number });
            self.open_anew(None);
        }
        self.about.set_max_bytes(max_bytes);
        let (cursor, requests) = (self.number, &self.requests);
        let read = || drop(requests.send(Request::Read { cursor, max_bytes }));
        self.front.as_mut().ok_or_else(gone)?.next(max_bytes, read)
    }

    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, RowsError> {
        Ok(self.key(rows)?.encode())
    }

    async fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        let key = self.key(row.saturating_add(1))?;
        let column = column as usize;
        let piece = Piece { cursor: self.number, key, column, offset, max_bytes };
        ask(&self.requests, |reply| Request::Piece(piece, reply))
    }
}

impl Drop for CursorHandle {
    fn drop(&mut self) {
        // SQLite ends all reads as long as one of them is open: one that was ended is not kept.
        let is_well = self.about.interrupts() == self.interrupts;
        let front = self.front.take().filter(|_| is_well);
        let parked =
            front.and_then(|front| Parked::new(self.number, &self.scan, front, self.interrupts));
        // Of several the one that was closed last is kept.
        let closed = match parked {
            Some(parked) => {
                self.ask(Request::Rest { cursor: self.number });
                self.about.park(parked).map(|parked| parked.cursor)
            }
            None => Some(self.number),
        };
        if let Some(cursor) = closed {
            self.ask(Request::Close { cursor });
        }
    }
}
