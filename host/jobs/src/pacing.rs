//! When a slice ends: when its time is up, when it is to stop, or when it is cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use partway_wasmtime::pacing::Pacing;
use tokio_util::sync::CancellationToken;

use crate::source::Source;

/// Ends a slice when this is cancelled, and not before.
pub(crate) struct UntilStopped(pub(crate) CancellationToken);

impl Pacing for UntilStopped {
    fn should_yield(&self) -> bool {
        self.0.is_cancelled()
    }

    fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Ends a job's slice when it has had its time, or when the job is to stop.
pub(crate) struct SlicePacing {
    /// None: no clock reaches so far.
    pub(crate) until: Option<Instant>,
    pub(crate) stop: CancellationToken,
    pub(crate) cancel: CancellationToken,
}

impl Pacing for SlicePacing {
    fn should_yield(&self) -> bool {
        self.is_stopped() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.cancel.is_cancelled()
    }
}

/// Cuts a slice off when it is dropped before its end.
pub(crate) struct CutOffGuard<'a> {
    is_cut_off: Arc<AtomicBool>,
    source: Option<&'a dyn Source>,
}

impl<'a> CutOffGuard<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self { is_cut_off: Arc::default(), source: Some(source) }
    }

    /// The slice's pacing, until this is dropped.
    pub(crate) fn pacing<P: Pacing>(&self, pacing: P) -> UntilCutOff<P> {
        UntilCutOff { pacing, is_cut_off: self.is_cut_off.clone() }
    }

    /// The slice has ended by itself.
    pub(crate) fn disarm(mut self) {
        self.source = None;
    }
}

impl Drop for CutOffGuard<'_> {
    fn drop(&mut self) {
        if let Some(source) = self.source {
            self.is_cut_off.store(true, Ordering::Relaxed);
            source.interrupt();
        }
    }
}

/// The pacing that a slice was given, until it is cut off.
pub(crate) struct UntilCutOff<P> {
    pacing: P,
    is_cut_off: Arc<AtomicBool>,
}

impl<P: Pacing> Pacing for UntilCutOff<P> {
    fn should_yield(&self) -> bool {
        self.pacing.should_yield()
    }

    fn is_stopped(&self) -> bool {
        self.pacing.is_stopped()
    }

    fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed) || self.pacing.is_cut_off()
    }
}
