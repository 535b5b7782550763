//! Work on threads that may block, logged within the span of the task that requested it.

use tokio::task::JoinHandle;
use tracing::Span;

/// Like [`tokio::task::spawn_blocking`], within the caller's span.
pub(crate) fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
}
