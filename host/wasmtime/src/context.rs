//! What one slice of a component sees of its host, and how it gets into a linker.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceType, WasmList};

use crate::bindings::partway::pipe;
use crate::contract::{Cursor, Pacing, Parts, Rows};

/// A cursor that a component holds.
pub struct CursorResource {
    cursor: Box<dyn Cursor>,
}

/// The most cursors that a component may hold at a time, as `rows.wit` has it. The export component holds up to 33: small
/// tables are opened ahead of their turn.
const MOST_CURSORS: usize = 64;

/// Counts of what has crossed between component and host, to watch a slice while it runs. Parts of
/// a slice that fails are counted too.
#[derive(Debug, Default)]
pub struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    parts: AtomicU64,
}

impl Counters {
    /// Rows handed to the component.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes in the parts that the component has written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Parts that the component has written.
    pub fn parts(&self) -> u64 {
        self.parts.load(Ordering::Relaxed)
    }

    /// Starts from the counts of a checkpoint.
    pub fn set(&self, rows: u64, bytes: u64, parts: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.parts.store(parts, Ordering::Relaxed);
    }
}

/// What one slice of a component sees of its host. Made by [`PipeCtxBuilder`], one a slice.
pub struct PipeCtx {
    table: ResourceTable,
    rows: Box<dyn Rows>,
    /// None while a part is being taken.
    parts: Option<Box<dyn Parts>>,
    pacing: Box<dyn Pacing>,
    counters: Arc<Counters>,
    parts_written: u32,
    clock: SliceClock,
}

impl fmt::Debug for PipeCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeCtx").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// Makes a [`PipeCtx`].
#[derive(Default)]
pub struct PipeCtxBuilder {
    pacing: Option<Box<dyn Pacing>>,
    counters: Arc<Counters>,
}

impl fmt::Debug for PipeCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeCtxBuilder").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl PipeCtxBuilder {
    /// The clock of the slice. Without one, only the budget of parts ends it.
    #[must_use]
    pub fn pacing(mut self, pacing: impl Pacing + 'static) -> Self {
        self.pacing = Some(Box::new(pacing));
        self
    }

    /// Where to count what crosses.
    #[must_use]
    pub fn counters(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// The context: what is read, and where it goes.
    pub fn build(self, rows: impl Rows + 'static, parts: impl Parts + 'static) -> PipeCtx {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_CURSORS);
        PipeCtx {
            table,
            rows: Box::new(rows),
            parts: Some(Box::new(parts)),
            pacing: self.pacing.unwrap_or_else(|| Box::new(NoPacing)),
            counters: self.counters,
            parts_written: 0,
            clock: SliceClock::start(),
        }
    }
}

struct NoPacing;

impl Pacing for NoPacing {
    fn should_yield(&self) -> bool {
        false
    }
}

/// Tells the component's own time from the host's.
#[derive(Debug)]
struct SliceClock {
    started: Instant,
    in_host: Duration,
    last_answer: Instant,
    /// The component's own time when the host first wished it to yield.
    yield_wished: Option<Duration>,
}

impl SliceClock {
    fn start() -> Self {
        let started = Instant::now();
        Self { started, in_host: Duration::ZERO, last_answer: started, yield_wished: None }
    }

    /// The host has worked since `before`, and answers now.
    fn served(&mut self, before: Instant) {
        self.last_answer = Instant::now();
        self.in_host += self.last_answer.duration_since(before);
    }

    fn in_component(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.in_host)
    }
}

impl PipeCtx {
    /// A context for one slice.
    pub fn builder() -> PipeCtxBuilder {
        PipeCtxBuilder::default()
    }

    /// How long the component has run by itself since its last call of the host, or since it should
    /// have ended: whichever is more. Time in the host's reads and writes does not count.
    pub(crate) fn overrun(&mut self) -> Duration {
        if self.pacing.is_cut_off() {
            return Duration::MAX;
        }
        let alone = self.clock.last_answer.elapsed();
        if !self.pacing.should_yield() {
            return alone;
        }
        let now = self.clock.in_component();
        let wished = *self.clock.yield_wished.get_or_insert(now);
        alone.max(now.saturating_sub(wished))
    }

    /// Does the host's work of a call, and takes its time off the component's.
    fn serve<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = Instant::now();
        let answer = work(self);
        self.clock.served(before);
        answer
    }

    fn cursor(&mut self, cursor: &Resource<CursorResource>) -> wasmtime::Result<&mut dyn Cursor> {
        Ok(self.table.get_mut(cursor)?.cursor.as_mut())
    }

    /// A slice that is to stop, and has written nothing that could be lost, need not go on reading.
    fn is_interrupted(&self) -> bool {
        self.pacing.is_cut_off() || self.parts_written == 0 && self.pacing.is_stopped()
    }
}

/// The interface `rows`.
impl PipeCtx {
    fn describe(&mut self) -> wasmtime::Result<Result<pipe::rows::Schema, pipe::rows::Error>> {
        self.serve(|ctx| Ok(ctx.rows.describe()))
    }

    fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> wasmtime::Result<Result<Resource<CursorResource>, pipe::rows::Error>> {
        self.serve(|ctx| match ctx.rows.scan(table, columns, after) {
            Ok(cursor) => Ok(Ok(ctx.table.push(CursorResource { cursor })?)),
            Err(error) => Ok(Err(error)),
        })
    }

    fn next(
        &mut self,
        cursor: &Resource<CursorResource>,
        max_bytes: u32,
    ) -> wasmtime::Result<Result<Arc<pipe::rows::Batch>, pipe::rows::Error>> {
        self.serve(|ctx| {
            if ctx.is_interrupted() {
                return Ok(Err(pipe::rows::Error::Interrupted));
            }
            let batch = ctx.cursor(cursor)?.next(max_bytes);
            if let Ok(batch) = &batch {
                ctx.counters.rows.fetch_add(u64::from(batch.rows), Ordering::Relaxed);
            }
            Ok(batch)
        })
    }

    fn position(
        &mut self,
        cursor: &Resource<CursorResource>,
        rows: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, pipe::rows::Error>> {
        self.serve(|ctx| Ok(ctx.cursor(cursor)?.position(rows)))
    }

    fn read(
        &mut self,
        cursor: &Resource<CursorResource>,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, pipe::rows::Error>> {
        self.serve(|ctx| {
            if ctx.is_interrupted() {
                return Ok(Err(pipe::rows::Error::Interrupted));
            }
            Ok(ctx.cursor(cursor)?.read(row, column, offset, max_bytes))
        })
    }

    fn close(&mut self, cursor: u32) -> wasmtime::Result<()> {
        self.table.delete(Resource::<CursorResource>::new_own(cursor))?;
        Ok(())
    }
}

/// Links `rows`. It is linked by hand and not by the generated bindings, so that a batch goes into the component's memory
/// from where it lies, and its own memory is used again.
fn link_rows<T: 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut PipeCtx,
) -> wasmtime::Result<()> {
    type Caller<'a, T> = StoreContextMut<'a, T>;
    type Cursor = Resource<CursorResource>;
    let mut rows = linker.instance("partway:pipe/rows@0.1.0")?;
    rows.resource("cursor", ResourceType::host::<CursorResource>(), move |mut store, cursor| {
        get(store.data_mut()).close(cursor)
    })?;
    rows.func_wrap("describe", move |mut store: Caller<'_, T>, (): ()| {
        Ok((get(store.data_mut()).describe()?,))
    })?;
    rows.func_wrap(
        "scan",
        move |mut store: Caller<'_, T>,
              (table, columns, after): (Vec<u8>, Vec<Vec<u8>>, Option<Vec<u8>>)| {
            Ok((get(store.data_mut()).scan(&table, &columns, after.as_deref())?,))
        },
    )?;
    rows.func_wrap(
        "[method]cursor.next",
        move |mut store: Caller<'_, T>, (cursor, max_bytes): (Cursor, u32)| {
            Ok((get(store.data_mut()).next(&cursor, max_bytes)?,))
        },
    )?;
    rows.func_wrap(
        "[method]cursor.position",
        move |mut store: Caller<'_, T>, (cursor, rows): (Cursor, u32)| {
            Ok((get(store.data_mut()).position(&cursor, rows)?,))
        },
    )?;
    rows.func_wrap(
        "[method]cursor.read",
        move |mut store: Caller<'_, T>,
              (cursor, row, column, offset, max_bytes): (Cursor, u32, u32, u32, u32)| {
            Ok((get(store.data_mut()).read(&cursor, row, column, offset, max_bytes)?,))
        },
    )
}

/// `parts.write`. It is linked by hand and not by the generated bindings, so that a part is read where it lies
/// in the component's memory: a copy of each would be as large again.
fn write_part<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    get: fn(&mut T) -> &mut PipeCtx,
    number: u32,
    bytes: &WasmList<u8>,
) -> wasmtime::Result<Result<(), pipe::parts::Error>> {
    let before = Instant::now();
    let Some(mut parts) = get(store.data_mut()).parts.take() else {
        return Err(wasmtime::Error::msg("parts.write was called while it was being served"));
    };
    let bytes = bytes.as_le_slice(&store);
    let length = bytes.len() as u64;
    let written = parts.write(number, bytes);
    let ctx = get(store.data_mut());
    ctx.parts = Some(parts);
    if written.is_ok() {
        ctx.parts_written += 1;
        ctx.counters.bytes.fetch_add(length, Ordering::Relaxed);
        ctx.counters.parts.fetch_add(1, Ordering::Relaxed);
    }
    ctx.clock.served(before);
    Ok(written)
}

impl pipe::pacing::Host for PipeCtx {
    fn should_yield(&mut self) -> wasmtime::Result<bool> {
        self.serve(|ctx| Ok(ctx.pacing.should_yield()))
    }
}

/// Adds the interfaces that an export component imports, `rows`, `parts` and `pacing`, to a linker whose
/// stores hold a [`PipeCtx`].
///
/// # Errors
///
/// Where the linker already has one of them.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut PipeCtx,
) -> wasmtime::Result<()> {
    struct Pipe;
    impl HasData for Pipe {
        type Data<'a> = &'a mut PipeCtx;
    }
    link_rows(linker, get)?;
    linker.instance("partway:pipe/parts@0.1.0")?.func_wrap(
        "write",
        move |store: StoreContextMut<'_, T>, (number, bytes): (u32, WasmList<u8>)| {
            Ok((write_part(store, get, number, &bytes)?,))
        },
    )?;
    pipe::pacing::add_to_linker::<T, Pipe>(linker, get)
}
