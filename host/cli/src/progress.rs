//! The progress bar: on a terminal only, and on standard error.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use partway_sqlite::Expected;
use partway_wasmtime::Counters;

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// The bar's length.
const LENGTH: u64 = 1000;

/// Before so much time and share of the work, nothing is said of rate and end: the first parts come all at once.
const FIRST_SECONDS: f64 = 1.0;
const FIRST_SHARE: f64 = 0.01;

/// The progress bar, if there is one. Dropping this removes it.
pub struct Progress {
    bar: ProgressBar,
    /// Slices done.
    slices: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    drawer: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows the progress of an export by its counters, if standard error is a terminal. Only then `expected`
    /// is called, on another thread. `slices`: how many are done.
    pub fn of(
        expected: impl FnOnce() -> Expected + Send + 'static,
        counters: &Arc<Counters>,
        slices: u32,
    ) -> Self {
        let mut progress = Self {
            bar: ProgressBar::hidden(),
            slices: Arc::new(slices.into()),
            ended: Arc::default(),
            drawer: None,
        };
        if std::io::stderr().is_terminal() {
            progress.bar =
                ProgressBar::with_draw_target(Some(LENGTH), ProgressDrawTarget::stderr());
            let (bar, counters) = (progress.bar.clone(), counters.clone());
            let (slices, ended) = (progress.slices.clone(), progress.ended.clone());
            let draw = move || draw(&bar, &Work::new(expected(), counters), &slices, &ended);
            progress.drawer = Some(thread::spawn(draw));
        }
        progress
    }

    /// Notes how many slices are done.
    pub fn set_slices(&self, slices: u32) {
        self.slices.store(slices, Ordering::Relaxed);
    }

    /// Prints something above the bar.
    pub fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(drawer) = self.drawer.take() {
            drawer.thread().unpark();
            // A progress bar that panicked must not fail the export.
            drawer.join().ok();
        }
    }
}

fn draw(bar: &ProgressBar, work: &Work, slices: &AtomicU32, ended: &AtomicBool) {
    let style = ProgressStyle::with_template("{bar:20} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    while !ended.load(Ordering::Relaxed) {
        let share = work.share();
        bar.set_position((share * LENGTH as f64) as u64);
        let slice = slices.load(Ordering::Relaxed) + 1;
        bar.set_message(work.text(share, slice, work.began.elapsed()));
        thread::park_timeout(TICK);
    }
    bar.finish_and_clear();
}

/// The work that is under way.
struct Work {
    expected: Expected,
    counters: Arc<Counters>,
    began: Instant,
    /// What was done before: rate and end follow from what this process adds.
    first_share: f64,
    first_bytes: u64,
}

impl Work {
    fn new(expected: Expected, counters: Arc<Counters>) -> Self {
        let first_bytes = counters.bytes();
        let mut work =
            Self { expected, counters, began: Instant::now(), first_share: 0.0, first_bytes };
        work.first_share = work.share();
        work
    }

    /// Which share of it is done.
    fn share(&self) -> f64 {
        self.expected.share(self.counters.work_done()).unwrap_or(0.0)
    }

    /// What the bar says, when this share is done after so much time.
    fn text(&self, share: f64, slice: u32, time: Duration) -> String {
        let bytes = self.counters.bytes();
        let mut text = format!(
            "{:>2.0}%  {} rows, {}",
            (share * 100.0).floor(),
            self.counters.rows(),
            ByteSize::b(bytes)
        );
        let (seconds, added) = (time.as_secs_f64(), share - self.first_share);
        if seconds >= FIRST_SECONDS {
            let rate = bytes.saturating_sub(self.first_bytes) as f64 / seconds;
            text += &format!(", {}/s", ByteSize::b(rate as u64));
        }
        text += &format!(", slice {slice}");
        if seconds >= FIRST_SECONDS && added >= FIRST_SHARE {
            let left = Duration::from_secs_f64(seconds * (1.0 - share) / added);
            text += &format!(", {} left", HumanDuration(left));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use partway_wasmtime::WorkDone;

    use super::*;

    fn done(rows: u64, weight: u64) -> WorkDone {
        WorkDone { rows, weight, idle_weight: 0 }
    }

    #[test]
    fn the_bar_tells_share_rate_and_time_left() {
        let counters = Arc::new(Counters::default());
        // Resumed at a fifth.
        counters.set(done(200, 20_000), 2_000_000, 2);
        let expected = Expected { tables: 1, rows: 1000, weight: 100_000 };
        let work = Work::new(expected, counters.clone());
        assert_eq!(work.share(), 0.2);
        assert_eq!(work.text(0.2, 3, Duration::ZERO), "20%  200 rows, 1.9 MiB, slice 3");
        counters.set(done(600, 60_000), 6_000_000, 6);
        let text = work.text(work.share(), 3, Duration::from_secs(40));
        assert_eq!(text, "60%  600 rows, 5.7 MiB, 97.7 KiB/s, slice 3, 40 seconds left");
    }
}
