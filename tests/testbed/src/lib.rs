//! Databases to export, and a comparison of two, for the tests, the demo and the benchmarks. It knows
//! nothing of exports: what it says of a dump is said by SQLite alone.

mod hard_cases;
mod random;
mod random_database;
mod restore;
mod sample;
mod shapes;

pub use hard_cases::{HardCase, TextEncoding, hard_cases, write_hard_cases};
pub use partway_verify::{Difference, compare};
pub use random::Random;
pub use random_database::{RandomDatabase, RandomOptions, RandomSize, Taken};
pub use restore::{Restorer, restore};
pub use sample::{write_sample, write_uniform};
pub use shapes::Shape;
