//! The progress bar of reading a dump: on a terminal only, and on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How much of a dump is read. Clones are the same bar.
#[derive(Clone)]
pub struct ReadProgress(ProgressBar);

impl ReadProgress {
    /// A bar for so many bytes. None: nobody knows how many there are.
    pub fn of(length: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        let template = match length {
            Some(_) => "{bar:20} {percent:>2}%  {binary_bytes}, {binary_bytes_per_sec}, {eta} left",
            None => "{spinner} {binary_bytes}, {binary_bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// So many bytes more are read.
    pub fn add(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
