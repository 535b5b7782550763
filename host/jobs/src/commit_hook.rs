//! A hook around each commit of the job store, with which a simulation makes processes die.

/// A moment at which a simulated process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMoment {
    /// Nothing is written yet.
    Before,
    /// Everything is written, but the process does not know it.
    After,
}

/// Called before and after each commit; if it returns false, the change fails.
pub(crate) type CommitHook = Box<dyn Fn(CommitMoment) -> bool + Send + Sync>;
