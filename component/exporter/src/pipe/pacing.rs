//! The WIT interface `pacing`: when to stop.

/// `pacing`: the host's clock, shutdown and load.
pub trait Pacing {
    /// Whether the slice should end soon.
    fn should_yield(&self) -> bool;
}
