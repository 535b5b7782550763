//! Applying the limits of its context to a store.

use wasmtime::{Store, UpdateDeadline};

use crate::context::{PipeCtx, PipeView};

/// Applies the limits of its context to a store: on the component's memory and tables, on what one
/// call may pass to the host, and on its time, for which the engine must have
/// [epoch interruption](wasmtime::Config::epoch_interruption) and a [`Ticker`](crate::Ticker).
///
/// If a call fails, [`CallError::new`](crate::CallError::new) says which limit was exceeded.
pub fn limit<T: PipeView + 'static>(store: &mut Store<T>) {
    limit_and(store, |_| UpdateDeadline::Continue(1));
}

/// Like [`limit`], for components that are called asynchronously: every 50 ms the component yields
/// to other tasks.
#[cfg(feature = "async")]
pub fn limit_async<T: PipeView + 'static>(store: &mut Store<T>) {
    limit_and(store, |ctx| UpdateDeadline::YieldCustom(1, Box::pin(ctx.yield_to_tasks())));
}

fn limit_and<T: PipeView + 'static>(
    store: &mut Store<T>,
    at_tick: impl Fn(&PipeCtx) -> UpdateDeadline + Send + Sync + 'static,
) {
    // A part at most goes over in one call, and so never more than the memory.
    let memory = store.data_mut().pipe().ctx.limiter().limits().memory;
    store.set_hostcall_fuel(memory);
    store.limiter(|data| data.pipe().ctx.limiter());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| {
        let ctx = store.data_mut().pipe().ctx;
        if ctx.has_overrun() {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(at_tick(ctx))
    });
}
