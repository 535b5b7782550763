//! The interface `pacing`: when a slice should end.

/// The host's clock, shutdown and cancellation. Called between batches, and every 50 ms while the
/// component runs: each call must be cheap.
pub trait Pacing: Send {
    /// Whether the slice should end soon, after its last complete part.
    fn should_yield(&self) -> bool;

    /// Whether the slice should end at once if it has written no part; its reads then fail with `interrupted`.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Whether the slice must stop, whatever it has written: its reads fail with `interrupted`, and
    /// a component that continues to run is interrupted. What it has written is lost.
    fn is_cut_off(&self) -> bool {
        false
    }
}

/// Only the budget of parts ends a slice.
pub(crate) struct NoPacing;

impl Pacing for NoPacing {
    fn should_yield(&self) -> bool {
        false
    }
}
