//! Whether a dump is whole, and whether two databases are the same.

mod compare;
mod dump;

pub use compare::*;
pub use dump::*;
