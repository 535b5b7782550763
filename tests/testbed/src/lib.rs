//! Databases to export, and a comparison of two, for the tests, the demo and the benchmarks. It knows
//! nothing of exports: what it says of a dump is said by SQLite alone.

mod random;
mod restore;
mod sample;

pub use partway_compare::{Difference, compare};
pub use random::Random;
pub use restore::{Restorer, restore};
pub use sample::write_sample;
