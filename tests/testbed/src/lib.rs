//! Databases to export, and a comparison of two, for the tests, the demo and the benchmarks. It knows
//! nothing of exports: what it says of a dump is said by SQLite alone.

mod compare;
mod random;
mod restore;
mod sample;

pub use compare::{Difference, compare};
pub use random::Random;
pub use restore::{Restorer, restore};
pub use sample::write_sample;
