//! A hook around each commit of the job store, by which a simulation lets processes die.

/// A moment at which a simulated process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMoment {
    /// Nothing is written yet.
    Before,
    /// All is written, and the process does not know.
    After,
}

/// Asked before and after each commit; where it says false, the change fails.
pub(crate) type CommitHook = Box<dyn Fn(CommitMoment) -> bool + Send + Sync>;
