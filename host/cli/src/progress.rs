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

/// The progress bar, if there is one. Dropping this removes it.
#[derive(Default)]
pub struct Progress {
    /// Slices done.
    pub slices: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    drawer: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows the progress of an export by its counters, if standard error is a terminal. Only then `expected`
    /// is called, on another thread.
    pub fn of(
        expected: impl FnOnce() -> Expected + Send + 'static,
        counters: &Arc<Counters>,
    ) -> Self {
        let mut progress = Self::default();
        if std::io::stderr().is_terminal() {
            let (counters, slices) = (counters.clone(), progress.slices.clone());
            let ended = progress.ended.clone();
            progress.drawer =
                Some(thread::spawn(move || draw(&counters, &slices, &ended, expected().rows)));
        }
        progress
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(drawer) = self.drawer.take() {
            // A progress bar that panicked must not fail the export.
            drawer.join().ok();
        }
    }
}

fn draw(counters: &Counters, slices: &AtomicU32, ended: &AtomicBool, expected: u64) {
    let bar = ProgressBar::with_draw_target(Some(expected), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:20} {percent:>3}%  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let began = Instant::now();
    // The rate of a resumed export counts only what this process adds.
    let (first_rows, first_bytes) = (counters.rows(), counters.bytes());
    while !ended.load(Ordering::Relaxed) {
        let (rows, bytes) = (counters.rows(), counters.bytes());
        // An estimate that was too low grows: the bar must not be full before the end.
        let length = expected.max(rows + rows / 20 + 1);
        bar.set_length(length);
        bar.set_position(rows);
        let seconds = began.elapsed().as_secs_f64();
        let per_row = seconds / rows.saturating_sub(first_rows).max(1) as f64;
        let rate = bytes.saturating_sub(first_bytes) as f64 / seconds.max(0.001);
        bar.set_message(format!(
            "{rows} rows, {} in {} parts, {}/s, slice {}, {} left",
            ByteSize::b(bytes),
            counters.parts(),
            ByteSize::b(rate as u64),
            slices.load(Ordering::Relaxed) + 1,
            HumanDuration(Duration::from_secs_f64(per_row * (length - rows) as f64)),
        ));
        thread::sleep(TICK);
    }
    bar.finish_and_clear();
}
