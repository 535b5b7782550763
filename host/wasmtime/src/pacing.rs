//! The interface `pacing`: when a slice should end.

/// The host's clock, shutdown and cancellation. Asked between batches, and every 50 ms while the component runs: each
/// answer must be cheap.
pub trait Pacing: Send {
    /// Whether the slice should end soon, at the end of its last whole part.
    fn should_yield(&self) -> bool;

    /// Whether the slice should end at once if it has written no part; its reads then fail with `interrupted`.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Whether the slice is over, whatever it has written: its reads fail with `interrupted`, and a component that runs on
    /// is interrupted. What it has written is lost.
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
