//! Reading a dump: whether it is whole, what it holds, and its restoring.

mod check;
mod complete;
mod lexer;
mod marks;
mod scratch;

pub use check::{Check, Checked};
pub use marks::Unfit;
pub use scratch::{Restored, Scratch};
