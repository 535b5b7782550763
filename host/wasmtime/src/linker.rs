//! The interfaces that an export component imports, in a linker.
//!
//! They are linked by hand and not by the generated bindings, so that a batch is written directly
//! into the component's memory and a part is read directly from it, without another copy of each.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Linker, Resource, ResourceType, WasmList};
use wasmtime::{Result, StoreContextMut};

use crate::context::PipeView;
use crate::cursor_resource::CursorResource;
use crate::{parts, rows};

const ROWS: &str = "partway:pipe/rows@0.1.0";
const PARTS: &str = "partway:pipe/parts@0.1.0";
const PACING: &str = "partway:pipe/pacing@0.1.0";

type Caller<'a, T> = StoreContextMut<'a, T>;
type Cursor = Resource<CursorResource>;

/// Adds `rows`, `parts` and `pacing` to a linker. Components are then called by the synchronous
/// functions of [`bindings`](crate::bindings), and the calling thread waits for rows and parts: in
/// asynchronous code, call them on a thread that may block (`spawn_blocking`), or use
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// # Errors
///
/// If the linker has one of them already.
pub fn add_to_linker_sync<T: PipeView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    use pollster::block_on;
    let mut rows = add_cursor(linker)?;
    rows.func_wrap("describe", |caller, ()| block_on(describe(caller)))?;
    rows.func_wrap("scan", |caller, arguments| block_on(scan(caller, arguments)))?;
    rows.func_wrap("[method]cursor.next", |caller, arguments| block_on(next(caller, arguments)))?;
    rows.func_wrap("[method]cursor.position", |caller, arguments| {
        block_on(position(caller, arguments))
    })?;
    rows.func_wrap("[method]cursor.read", |caller, arguments| block_on(read(caller, arguments)))?;
    let mut parts = linker.instance(PARTS)?;
    parts.func_wrap("write", |caller, arguments| block_on(write(caller, arguments)))?;
    add_pacing(linker)
}

/// Adds `rows`, `parts` and `pacing` to a linker. Components are then called by functions that end
/// in `_async`, and other tasks run while they wait for rows or parts. A component's own work is
/// not asynchronous: see [`limit_async`](crate::limit_async), which makes it yield every 50 ms.
///
/// # Errors
///
/// If the linker has one of them already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: PipeView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    let mut rows = add_cursor(linker)?;
    rows.func_wrap_async("describe", |caller, ()| Box::new(describe(caller)))?;
    rows.func_wrap_async("scan", |caller, arguments| Box::new(scan(caller, arguments)))?;
    rows.func_wrap_async("[method]cursor.next", |caller, arguments| {
        Box::new(next(caller, arguments))
    })?;
    rows.func_wrap_async("[method]cursor.position", |caller, arguments| {
        Box::new(position(caller, arguments))
    })?;
    rows.func_wrap_async("[method]cursor.read", |caller, arguments| {
        Box::new(read(caller, arguments))
    })?;
    let mut parts = linker.instance(PARTS)?;
    parts.func_wrap_async("write", |caller, arguments| Box::new(write(caller, arguments)))?;
    add_pacing(linker)
}

/// The instance `rows`, with its resource.
fn add_cursor<T: PipeView + 'static>(
    linker: &mut Linker<T>,
) -> Result<wasmtime::component::LinkerInstance<'_, T>> {
    let mut rows = linker.instance(ROWS)?;
    let cursor = ResourceType::host::<CursorResource>();
    rows.resource("cursor", cursor, |mut caller, cursor| caller.data_mut().pipe().close(cursor))?;
    Ok(rows)
}

fn add_pacing<T: PipeView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.instance(PACING)?.func_wrap("should-yield", |mut caller: Caller<'_, T>, ()| {
        Ok((caller.data_mut().pipe().ctx.should_yield()?,))
    })
}

async fn describe<T: PipeView>(
    mut caller: Caller<'_, T>,
) -> Result<(std::result::Result<rows::Schema, rows::Error>,)> {
    Ok((caller.data_mut().pipe().describe().await?,))
}

async fn scan<T: PipeView>(
    mut caller: Caller<'_, T>,
    (table, columns, after): (Vec<u8>, Vec<Vec<u8>>, Option<Vec<u8>>),
) -> Result<(std::result::Result<Cursor, rows::Error>,)> {
    Ok((caller.data_mut().pipe().scan(&table, &columns, after.as_deref()).await?,))
}

async fn next<T: PipeView>(
    mut caller: Caller<'_, T>,
    (cursor, max_bytes): (Cursor, u32),
) -> Result<(std::result::Result<Arc<rows::Batch>, rows::Error>,)> {
    Ok((caller.data_mut().pipe().next(&cursor, max_bytes).await?,))
}

async fn position<T: PipeView>(
    mut caller: Caller<'_, T>,
    (cursor, rows): (Cursor, u32),
) -> Result<(std::result::Result<Vec<u8>, rows::Error>,)> {
    Ok((caller.data_mut().pipe().position(&cursor, rows).await?,))
}

async fn read<T: PipeView>(
    mut caller: Caller<'_, T>,
    (cursor, row, column, offset, max_bytes): (Cursor, u32, u32, u32, u32),
) -> Result<(std::result::Result<Vec<u8>, rows::Error>,)> {
    Ok((caller.data_mut().pipe().read(&cursor, row, column, offset, max_bytes).await?,))
}

async fn write<T: PipeView>(
    mut caller: Caller<'_, T>,
    (number, bytes): (u32, WasmList<u8>),
) -> Result<(std::result::Result<(), parts::Error>,)> {
    let called = Instant::now();
    let mut parts = caller.data_mut().pipe().ctx.borrow_parts()?;
    let bytes = bytes.as_le_slice(&caller);
    let written = parts.write(number, bytes).await;
    let taken = written.is_ok().then_some(bytes.len());
    caller.data_mut().pipe().ctx.return_parts(parts, taken, called)?;
    Ok((written,))
}
