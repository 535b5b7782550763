//! Running a command and measuring what it used.

use std::fmt::Write as _;
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

/// What several runs of the same took.
#[derive(Default)]
pub struct Runs(Vec<Run>);

impl Runs {
    /// The median by the clock.
    pub fn seconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.seconds))
    }

    /// The median of all processors.
    pub fn cpu_seconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.cpu_seconds))
    }

    /// The most memory that one of them had, in megabytes.
    pub fn peak_megabytes(&self) -> f64 {
        let most = self.0.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        most as f64 * 1024.0 / 1e6
    }

    /// The median of the ratios to other runs, each to its neighbour in time: what slows a machine for some seconds
    /// slows both.
    pub fn ratio_by_neighbours(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(one, other)| one.seconds / other.seconds))
    }
}

/// Runs several things in turn, A B A B, and returns the runs of each. The first round, which loads
/// files into memory, does not count.
pub fn in_turn<const N: usize>(
    rounds: u32,
    names: [&str; N],
    mut one: impl FnMut(usize) -> Result<Run>,
) -> Result<[Runs; N]> {
    let mut all = std::array::from_fn(|_| Runs::default());
    for round in 0..=rounds {
        let mut line = String::new();
        for (which, (runs, name)) in all.iter_mut().zip(names).enumerate() {
            let run = one(which)?;
            write!(line, "   {name} {:.3} s", run.seconds)?;
            if round > 0 {
                runs.0.push(run);
            }
        }
        let round = if round == 0 { "warm-up".to_owned() } else { format!("round {round}") };
        println!("{round:8}{line}");
    }
    Ok(all)
}

/// Runs a command, which must succeed.
pub fn measure(command: &mut Command) -> Result<Run> {
    let (run, status) = measure_any(command)?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(run)
}

/// Runs a command to its end. The system then reports what it used: watching it would take time
/// from it.
pub fn measure_any(command: &mut Command) -> Result<(Run, ExitStatus)> {
    // What the previous run left to be written would slow this one down.
    run(&mut Command::new("sync"))?;
    let began = Instant::now();
    let child = command.spawn().with_context(|| format!("starting {}", shown(command)))?;
    let used = child.wait4()?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok((Run { seconds, cpu_seconds, peak_kib: used.rusage.maxrss / 1024 }, used.status))
}

/// The middle one; for an even number, the mean of the middle two.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.len() / 2;
    match (numbers.get(upper), upper.checked_sub(1).and_then(|lower| numbers.get(lower))) {
        (Some(upper), Some(lower)) if numbers.len().is_multiple_of(2) => {
            f64::midpoint(*lower, *upper)
        }
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(seconds: &[f64]) -> Runs {
        let run = |seconds: &f64| Run { seconds: *seconds, cpu_seconds: 0.0, peak_kib: 0 };
        Runs(seconds.iter().map(run).collect())
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([7.0]), 7.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_slow_stretch_of_the_machine_leaves_the_ratio_as_it_is() {
        // From the middle of the second round on it is half as fast.
        let (one, other) = (runs(&[3.0, 3.0, 6.0]), runs(&[1.0, 2.0, 2.0]));
        assert_eq!(one.ratio_by_neighbours(&other), 3.0);
        assert_eq!(one.seconds() / other.seconds(), 1.5);
    }

    #[test]
    fn things_take_turns_and_the_first_round_does_not_count() {
        let mut seen = Vec::new();
        let all = in_turn(2, ["a", "b"], |which| {
            seen.push(which);
            Ok(Run { seconds: seen.len() as f64, cpu_seconds: 0.0, peak_kib: 0 })
        });
        let [one, other] = all.unwrap();
        assert_eq!(seen, [0, 1, 0, 1, 0, 1]);
        assert_eq!((one.seconds(), other.seconds()), (4.0, 5.0));
    }
}
