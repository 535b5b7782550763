//! Counts of what has happened, over all schedules.

use std::collections::BTreeMap;
use std::fmt;

/// Names each thing that can be met.
macro_rules! met {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// What a schedule can meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Met { $($(#[$about])* $name,)* }

        impl Met {
            /// All of it.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

met! {
    /// A request fails, and has done nothing.
    FailedEffect,
    /// A request is refused for good.
    RefusedEffect,
    /// A request was done, and fails.
    LostAnswer,
    /// A request is never answered, and does nothing.
    HangBefore,
    /// A request was done, and is never answered.
    HangAfter,
    /// A request is never answered, and arrives when its sender has given it up, or is dead.
    SentLate,
    /// It arrives.
    ArrivedLate,
    /// An upload is completed by it.
    CompletedLate,
    /// The process ends before a request.
    CrashBefore,
    /// The process ends before it hears that a request was done.
    CrashAfter,
    /// The process ends between the steps of a folder's beginning.
    CrashAmidBegin,
    /// The process ends between the steps of a folder's completing.
    CrashAmidComplete,
    /// An upload expires.
    UploadVanished,
    /// Somebody else's object takes the name.
    ForeignObject,
    /// A commit fails.
    FailedCommit,
    /// A commit is done, and fails.
    LostCommit,
    /// The process ends before a commit.
    CrashBeforeCommit,
    /// The process ends right after a commit.
    CrashAfterCommit,
    /// The process ends anywhere else.
    KilledAtRest,
    /// The wall clock jumps forward.
    ClockForward,
    /// The wall clock jumps back.
    ClockBack,
    /// It does so by days.
    ClockByDays,
    /// An alarm comes before it is due.
    EarlyWakeUp,
    /// An alarm comes while another is at work.
    DuplicateWakeUp,
    /// An alarm is to stop at once.
    StoppedWakeUp,
    /// A process gives back its leases between steps.
    LetGo,
    /// Somebody wants a job cancelled.
    Cancel,
    /// Somebody asks for the same export again.
    SecondRequest,
    /// The database changes.
    DatabaseChange,
    /// A process prunes in the middle.
    Prune,
    /// Pruning throws an upload away.
    PrunedUpload,
    /// A lease is taken over from a dead process.
    TakenFromTheDead,
    /// A lease is taken over from one that lives.
    TakenFromTheLiving,
    /// A process hears at a commit that its job is another's.
    LeaseLost,
    /// A slice takes too long.
    CutOff,
    /// A step is tried again.
    Retry,
    /// A job starts over.
    StartedOver,
    /// An upload can't be thrown away.
    UploadLeft,
    /// Completing finds what was completed before.
    CompletedTwice,
    /// A job ends with its object.
    Done,
    /// A job ends with a reason.
    Failed,
    /// A job ends as was wished.
    Cancelled,
    /// A job was to be cancelled, and its object was there already.
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

    /// What was met less often than that.
    pub fn met_less_than(&self, times: u64) -> Vec<Met> {
        let is_rare = |met: &&Met| self.0.get(met).is_none_or(|count| *count < times);
        Met::ALL.iter().filter(is_rare).copied().collect()
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
