//! Ctrl-C and SIGTERM: the first one ends the export at the next part, a second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partway::Pacing;

/// Whether somebody wants the program to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on. Must be called within a tokio runtime.
    pub fn listen() -> Self {
        let stop = Self::default();
        let asked = stop.clone();
        tokio::spawn(async move {
            while signal().await.is_ok() {
                if asked.0.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("partway: stopping at the end of a part; once more to stop at once");
            }
        });
        stop
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for one of them.
#[cfg(unix)]
pub async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Ends a slice after some time, or when the program is to stop.
#[derive(Debug, Clone)]
pub struct SlicePacing {
    /// When the slice has had its time; none: it has no end but the export's.
    pub until: Option<Instant>,
    /// Whether the program is to stop.
    pub stop: Stop,
}

impl SlicePacing {
    /// Paces a slice that begins now.
    pub fn new(time: Duration, stop: &Stop) -> Self {
        Self { until: Instant::now().checked_add(time), stop: stop.clone() }
    }
}

impl Pacing for SlicePacing {
    fn should_yield(&self) -> bool {
        self.stop.is_asked() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }
}
