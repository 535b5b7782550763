//! Exports at set times: when they are due, who makes them, and which of their objects are kept.

pub mod retention;
pub mod rule;
pub mod scheduler;
