//! Reads the pages of a database on the thread that owns the connection, as the rows of a table, into the queue.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Result;

use crate::batch_queue::{BatchSender, Reading};
use crate::cell_kind::{BLOB, LONG_BLOB};
use crate::connection::check_transaction;
use crate::database::Database;
use crate::error::rows_error;
use crate::keyed_batch::{KeyedBatch, SpareBatch};
use crate::long_value::Piece;
use crate::page_source::{PageAccess, PageSource};
use crate::position::Position;
use crate::row_keys::RowKeys;
use crate::table_query::TableQuery;
use partway_wasmtime::rows::{Batch, Error as RowsError};

/// The most pages of a batch: the smallest have 512 bytes, and a batch has up to 1 MiB.
const MAX_PAGES: u32 = 2048;

/// A scan of the pages, and where it stands. A page is a row of one blob, and its number is the row's key.
pub(crate) struct PageReader<'c> {
    database: &'c Database,
    query: Arc<TableQuery>,
    access: PageAccess,
    /// Opened when it is first needed.
    pages: Option<PageSource<'c>>,
    /// The number of the page to read next.
    next: u32,
    batches: BatchSender,
    spare: Rc<Receiver<SpareBatch>>,
    has_ended: bool,
    max_bytes: u32,
}

impl<'c> PageReader<'c> {
    /// A scan of the pages after a position.
    pub(crate) fn new(
        database: &'c Database,
        query: Arc<TableQuery>,
        access: PageAccess,
        after: &Position,
        batches: BatchSender,
        spare: Rc<Receiver<SpareBatch>>,
    ) -> Self {
        let next = page_after(after);
        let pages = None;
        Self {
            database,
            query,
            access,
            pages,
            next,
            batches,
            spare,
            has_ended: false,
            max_bytes: 0,
        }
    }

    /// From now on batches are wanted, of so many bytes.
    pub(crate) fn start(&mut self, max_bytes: u32) {
        self.max_bytes = max_bytes;
    }

    /// The queue that it reads into.
    pub(crate) fn batches(&mut self) -> &mut BatchSender {
        &mut self.batches
    }

    /// Reads one more batch, and says whether to read on.
    pub(crate) fn read_batch(&mut self) -> bool {
        if self.has_ended || !self.batches.wants_more() {
            return false;
        }
        if let Err(lost) = check_transaction(self.database) {
            return self.end(Err(lost));
        }
        match self.fill() {
            Ok(Some(batch)) => {
                self.batches.push(Reading::Rows(batch));
                true
            }
            Ok(None) => self.end(Ok(())),
            Err(error) => self.end(Err(rows_error(&self.query.displayed, &error))),
        }
    }

    fn end(&mut self, end: std::result::Result<(), RowsError>) -> bool {
        self.batches.push(Reading::End(end));
        self.has_ended = true;
        false
    }

    fn source(&mut self) -> Result<&mut PageSource<'c>> {
        if self.pages.is_none() {
            self.pages = Some(PageSource::open(self.database, self.access)?);
        }
        self.pages.as_mut().ok_or(rusqlite::Error::InvalidQuery)
    }

    /// The next pages, as many as fit a batch; none: there are no more.
    fn fill(&mut self) -> Result<Option<KeyedBatch>> {
        let (next, max_bytes) = (self.next, self.max_bytes as usize);
        let (mut batch, _) =
            self.spare.try_recv().map(SpareBatch::cleared).unwrap_or((Batch::default(), no_keys()));
        let pages = self.source()?;
        let is_long = pages.page_size > max_bytes;
        let fit = if is_long { 1 } else { (max_bytes / pages.page_size) as u32 };
        // Of 2^32 - 2 pages at most, so that no number is too large.
        let end = next.saturating_add(fit.min(MAX_PAGES)).min(pages.count.saturating_add(1));
        let range: Range<u32> = next..end;
        if range.is_empty() {
            return Ok(None);
        }
        if !is_long {
            pages.append(range.clone(), &mut batch.bytes)?;
        }
        batch.rows = range.len() as u32;
        batch.kinds.resize(range.len(), if is_long { LONG_BLOB } else { BLOB });
        batch.lengths.resize(range.len(), pages.page_size as u32);
        self.next = end;
        let keys = RowKeys::Rowids(range.map(i64::from).collect());
        Ok(Some(KeyedBatch { batch: Arc::new(batch), keys }))
    }

    /// Reads bytes of a page that is longer than a batch.
    pub(crate) fn read_piece(&mut self, piece: &Piece) -> std::result::Result<Vec<u8>, RowsError> {
        let page = page_after(&piece.row).saturating_sub(1);
        let mut bytes = Vec::new();
        let read = self.source().and_then(|pages| pages.append(page..page + 1, &mut bytes));
        read.map_err(|error| rows_error(&self.query.displayed, &error))?;
        let start = bytes.len().min(piece.offset as usize);
        bytes.drain(..start);
        bytes.truncate(piece.max_bytes as usize);
        Ok(bytes)
    }
}

fn no_keys() -> RowKeys {
    RowKeys::Rowids(Vec::new())
}

/// The number of the first page after a position.
fn page_after(position: &Position) -> u32 {
    let page = match position {
        Position::Rowid(page) => page.saturating_add(1),
        Position::RowidFrom(page) => *page,
        _ => 1,
    };
    u32::try_from(page.max(1)).unwrap_or(u32::MAX)
}
