//! The WIT interface `pacing`: when a slice should end.

/// `pacing`: the host's clock, shutdown and load.
pub trait Pacing {
    /// Whether the slice should end soon.
    fn should_yield(&self) -> bool;
}
