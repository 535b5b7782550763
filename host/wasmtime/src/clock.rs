//! The component's own time, separated from the host's.

#[cfg(feature = "async")]
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "async")]
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long a slice has run, and how much of that in the host.
#[derive(Debug)]
pub(crate) struct SliceClock {
    started: Instant,
    in_host: Duration,
    last_return: Instant,
    /// The component's own time when the host first wanted it to yield.
    yield_wanted: Option<Duration>,
    /// For how long other tasks ran while the component had yielded to them, in nanoseconds.
    yielded: Arc<AtomicU64>,
    /// How much of it was before the last return.
    yielded_before: Duration,
}

impl SliceClock {
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            in_host: Duration::ZERO,
            last_return: started,
            yield_wanted: None,
            yielded: Arc::default(),
            yielded_before: Duration::ZERO,
        }
    }

    /// The host has worked since `called`, and now returns.
    pub(crate) fn returned(&mut self, called: Instant) {
        self.last_return = Instant::now();
        self.in_host += self.last_return.duration_since(called);
        self.yielded_before = self.yielded();
    }

    /// Lets other tasks run once. However late they let the component go on, that is not its time.
    #[cfg(feature = "async")]
    pub(crate) fn yield_to_tasks(&self) -> impl Future<Output = ()> + Send + use<> {
        let yielded = self.yielded.clone();
        let mut since = None;
        poll_fn(move |context| {
            let Some(since) = since else {
                since = Some(Instant::now());
                context.waker().wake_by_ref();
                return Poll::Pending;
            };
            let nanoseconds = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            yielded.fetch_add(nanoseconds, Ordering::Relaxed);
            Poll::Ready(())
        })
    }

    fn yielded(&self) -> Duration {
        Duration::from_nanos(self.yielded.load(Ordering::Relaxed))
    }

    /// How long the component has run by itself since its last call to the host, or since it should
    /// have ended, whichever is longer.
    pub(crate) fn overrun(&mut self, should_yield: bool) -> Duration {
        let yielded = self.yielded();
        let alone = self.last_return.elapsed().saturating_sub(yielded - self.yielded_before);
        if !should_yield {
            return alone;
        }
        let now = self.started.elapsed().saturating_sub(self.in_host + yielded);
        let wanted = *self.yield_wanted.get_or_insert(now);
        alone.max(now.saturating_sub(wanted))
    }
}
