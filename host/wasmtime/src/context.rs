//! What one slice of a component sees of its host.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Resource, ResourceTable};

use crate::clock::SliceClock;
use crate::counters::Counters;
use crate::cursor_resource::CursorResource;
use crate::limits::{Exceeded, Limiter, Limits};
use crate::long_read::LongRead;
use crate::pacing::{NoPacing, Pacing};
use crate::parts::Parts;
use crate::rows::{self, Batch, Rows, Schema};

/// What one slice of a component sees of its host: rows, parts and pacing, within [`Limits`]. One for each slice.
pub struct PipeCtx {
    rows: Box<dyn Rows>,
    /// None while a part is being taken.
    parts: Option<Box<dyn Parts>>,
    pacing: Box<dyn Pacing>,
    counters: Arc<Counters>,
    long_read: LongRead,
    limiter: Limiter,
    parts_written: u32,
    clock: SliceClock,
}

impl fmt::Debug for PipeCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeCtx").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// A context and the table of resources of the store that it lives in.
#[derive(Debug)]
pub struct PipeCtxView<'a> {
    /// The context.
    pub ctx: &'a mut PipeCtx,
    /// The store's table: the component's cursors are in it.
    pub table: &'a mut ResourceTable,
}

/// What the data of a store must provide so that an export component can run in it.
pub trait PipeView: Send {
    /// The context, and the store's table of resources.
    fn pipe(&mut self) -> PipeCtxView<'_>;
}

/// Builds a [`PipeCtx`].
#[derive(Default)]
pub struct PipeCtxBuilder {
    pacing: Option<Box<dyn Pacing>>,
    counters: Arc<Counters>,
    limits: Limits,
}

impl fmt::Debug for PipeCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeCtxBuilder").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl PipeCtxBuilder {
    /// Sets when the slice should end. Without it, only the budget of parts ends the slice.
    #[must_use]
    pub fn pacing(mut self, pacing: impl Pacing + 'static) -> Self {
        self.pacing = Some(Box::new(pacing));
        self
    }

    /// Sets the counters of what passes between component and host.
    #[must_use]
    pub fn counters(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Sets what the component may use. The default is [`Limits::default`], which is enough for
    /// parts of up to 16 MiB.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the context, with the rows to read and the parts to write.
    pub fn build(self, rows: impl Rows + 'static, parts: impl Parts + 'static) -> PipeCtx {
        PipeCtx {
            rows: Box::new(rows),
            parts: Some(Box::new(parts)),
            pacing: self.pacing.unwrap_or_else(|| Box::new(NoPacing)),
            counters: self.counters,
            long_read: LongRead::default(),
            limiter: Limiter::new(self.limits),
            parts_written: 0,
            clock: SliceClock::start(),
        }
    }
}

impl PipeCtx {
    /// A builder of a context for one slice.
    pub fn builder() -> PipeCtxBuilder {
        PipeCtxBuilder::default()
    }

    /// Enforces the component's limits; [`limit`](crate::limit) installs it in a store.
    pub fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    /// Whether the component has run by itself for longer than its limits allow, since its last
    /// call to the host or since it should have ended. Time in the host's reads and writes does not
    /// count.
    pub(crate) fn has_overrun(&mut self) -> bool {
        self.pacing.is_cut_off()
            || self.clock.overrun(self.pacing.should_yield()) > self.limiter.limits().overrun
    }

    /// Lets other tasks run, which is not the component's time.
    #[cfg(feature = "async")]
    pub(crate) fn yield_to_tasks(&self) -> impl Future<Output = ()> + Send + use<> {
        self.clock.yield_to_tasks()
    }

    /// A slice that is to stop, and has written nothing that could be lost, need not continue
    /// reading.
    fn is_interrupted(&self) -> bool {
        self.pacing.is_cut_off() || self.parts_written == 0 && self.pacing.is_stopped()
    }

    pub(crate) fn should_yield(&mut self) -> Result<bool, Exceeded> {
        self.limiter.count_call()?;
        let called = Instant::now();
        let answer = self.pacing.should_yield();
        self.clock.returned(called);
        Ok(answer)
    }

    /// What takes the parts, out of the context until [`PipeCtx::return_parts`]: a part is read where it lies in the
    /// component's memory, and that belongs to the same store.
    pub(crate) fn borrow_parts(&mut self) -> wasmtime::Result<Box<dyn Parts>> {
        self.limiter.count_call()?;
        self.limiter.begin_part()?;
        let reentered = || wasmtime::Error::msg("parts.write was called while it was being served");
        self.parts.take().ok_or_else(reentered)
    }

    /// Puts it back, after it was given a part.
    pub(crate) fn return_parts(
        &mut self,
        parts: Box<dyn Parts>,
        taken: Option<usize>,
        called: Instant,
    ) -> Result<(), Exceeded> {
        self.parts = Some(parts);
        if let Some(bytes) = taken {
            self.parts_written += 1;
            self.limiter.end_part(bytes, self.pacing.should_yield())?;
            self.counters.add_weight(self.long_read.settle());
            self.counters.add_part(bytes);
        }
        self.clock.returned(called);
        Ok(())
    }
}

/// The interface `rows`.
impl PipeCtxView<'_> {
    pub(crate) async fn describe(&mut self) -> wasmtime::Result<Result<Schema, rows::Error>> {
        self.ctx.limiter.count_call()?;
        self.ctx.limiter.count_describe()?;
        let called = Instant::now();
        let schema = self.ctx.rows.describe().await;
        self.ctx.clock.returned(called);
        Ok(schema)
    }

    pub(crate) async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> wasmtime::Result<Result<Resource<CursorResource>, rows::Error>> {
        self.ctx.limiter.count_call()?;
        self.ctx.limiter.open_cursor(columns.len())?;
        let called = Instant::now();
        let opened = self.ctx.rows.scan(table, columns, after).await;
        self.ctx.clock.returned(called);
        Ok(match opened {
            Ok(cursor) => Ok(self.table.push(CursorResource::new(cursor))?),
            Err(error) => {
                self.ctx.limiter.close_cursor();
                Err(error)
            }
        })
    }

    pub(crate) async fn next(
        &mut self,
        cursor: &Resource<CursorResource>,
        max_bytes: u32,
    ) -> wasmtime::Result<Result<Arc<Batch>, rows::Error>> {
        self.ctx.limiter.count_call()?;
        self.ctx.limiter.ask_for_batch(max_bytes)?;
        if self.ctx.is_interrupted() {
            return Ok(Err(rows::Error::Interrupted));
        }
        let called = Instant::now();
        let cursor = self.table.get_mut(cursor)?;
        let batch = cursor.cursor.next(max_bytes).await;
        if let Ok(batch) = &batch {
            self.ctx.counters.add_rows(batch.rows);
            let weight = cursor.next(batch) + std::mem::take(&mut self.ctx.long_read).settle();
            self.ctx.counters.add_weight(weight);
        }
        self.ctx.clock.returned(called);
        Ok(batch)
    }

    pub(crate) async fn position(
        &mut self,
        cursor: &Resource<CursorResource>,
        rows: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, rows::Error>> {
        self.ctx.limiter.count_call()?;
        let called = Instant::now();
        let cursor = self.table.get_mut(cursor)?;
        let position = cursor.cursor.position(rows).await;
        // It asks where a part ends: what comes before is in the part, what comes after is not.
        let weight = cursor.reach(rows) + self.ctx.long_read.reach(rows);
        self.ctx.counters.add_weight(weight);
        self.ctx.clock.returned(called);
        Ok(position)
    }

    pub(crate) async fn read(
        &mut self,
        cursor: &Resource<CursorResource>,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, rows::Error>> {
        self.ctx.limiter.count_call()?;
        self.ctx.limiter.ask_for_piece(max_bytes)?;
        if self.ctx.is_interrupted() {
            return Ok(Err(rows::Error::Interrupted));
        }
        let called = Instant::now();
        let resource = self.table.get_mut(cursor)?;
        let bytes = resource.cursor.read(row, column, offset, max_bytes).await;
        if let Ok(bytes) = &bytes {
            let is_blob = resource.is_blob(row, column);
            let cell = (cursor.rep(), row, column);
            let before = self.ctx.long_read.piece(cell, is_blob, offset, bytes.len());
            self.ctx.counters.add_weight(before);
        }
        self.ctx.clock.returned(called);
        Ok(bytes)
    }

    pub(crate) fn close(&mut self, cursor: u32) -> wasmtime::Result<()> {
        self.table.delete(Resource::<CursorResource>::new_own(cursor))?;
        self.ctx.limiter.close_cursor();
        Ok(())
    }
}
