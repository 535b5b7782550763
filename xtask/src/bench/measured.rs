//! Running a command and measuring what it used.

use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use crate::run::{run, shown};

/// What one run of a command took.
#[derive(Clone, Copy)]
pub struct Run {
    /// By the clock.
    pub seconds: f64,
    /// Of all processors, in the program and in the system for it.
    pub cpu_seconds: f64,
    /// The most memory at a time.
    pub peak_kib: u64,
}

/// Runs a command to its good end.
pub fn measure(command: &mut Command) -> Result<Run> {
    let (run, status) = measure_any(command)?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(run)
}

/// Runs a command to its end. What it used the system tells then: to look on would take time from it.
pub fn measure_any(command: &mut Command) -> Result<(Run, ExitStatus)> {
    // What the run before has left to be written would slow this one.
    run(&mut Command::new("sync"))?;
    let began = Instant::now();
    let child = command.spawn().with_context(|| format!("starting {}", shown(command)))?;
    let used = child.wait4()?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok((Run { seconds, cpu_seconds, peak_kib: used.rusage.maxrss / 1024 }, used.status))
}

/// The one in the middle.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
