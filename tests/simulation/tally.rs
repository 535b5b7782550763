//! Counts of what has happened, over all schedules.

use std::collections::BTreeMap;
use std::fmt;

/// What a schedule can meet. The simulation fails where one is met too seldom in the ordinary run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Met {
    FailedEffect,
    RefusedEffect,
    LostAnswer,
    HangBefore,
    HangAfter,
    CrashBefore,
    CrashAfter,
    CrashAmidBegin,
    CrashAmidComplete,
    UploadVanished,
    ForeignObject,
    FailedCommit,
    LostCommit,
    CrashBeforeCommit,
    CrashAfterCommit,
    KilledAtRest,
    ClockForward,
    ClockBack,
    ClockByDays,
    EarlyAlarm,
    DuplicateAlarm,
    StoppedAlarm,
    LetGo,
    Cancel,
    SecondRequest,
    DatabaseChange,
    Prune,
    PrunedUpload,
    TakenFromTheDead,
    TakenFromTheLiving,
    LeaseLost,
    CutOff,
    Retry,
    StartedOver,
    UploadLeft,
    CompletedTwice,
    Done,
    Failed,
    Cancelled,
    DoneThoughUnwanted,
}

/// How often each was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Met, u64>);

impl Tally {
    pub fn add(&mut self, met: Met) {
        *self.0.entry(met).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (met, count) in &other.0 {
            *self.0.entry(*met).or_default() += count;
        }
    }

    pub fn count(&self, met: Met) -> u64 {
        self.0.get(&met).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (met, count) in &self.0 {
            writeln!(f, "{:<22}{count:>9}", format!("{met:?}"))?;
        }
        Ok(())
    }
}
