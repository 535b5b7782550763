//! Work on threads of its own, which says in the log what it is about as who has asked for it does.

use tokio::task::JoinHandle;
use tracing::Span;

/// As tokio's, within the caller's span.
pub(crate) fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
}
