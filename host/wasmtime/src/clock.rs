//! The component's own time, separated from the host's.

use std::time::{Duration, Instant};

/// How long a slice has run, and how much of that in the host.
#[derive(Debug)]
pub(crate) struct SliceClock {
    started: Instant,
    in_host: Duration,
    last_return: Instant,
    /// The component's own time when the host first wanted it to yield.
    yield_wanted: Option<Duration>,
}

impl SliceClock {
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        Self { started, in_host: Duration::ZERO, last_return: started, yield_wanted: None }
    }

    /// The host has worked since `called`, and now returns.
    pub(crate) fn returned(&mut self, called: Instant) {
        self.last_return = Instant::now();
        self.in_host += self.last_return.duration_since(called);
    }

    /// How long the component has run by itself since its last call to the host, or since it should
    /// have ended, whichever is longer.
    pub(crate) fn overrun(&mut self, should_yield: bool) -> Duration {
        let alone = self.last_return.elapsed();
        if !should_yield {
            return alone;
        }
        let now = self.started.elapsed().saturating_sub(self.in_host);
        let wanted = *self.yield_wanted.get_or_insert(now);
        alone.max(now.saturating_sub(wanted))
    }
}
