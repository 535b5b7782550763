//! Scheduled exports: when they are due, who starts them, and which of their objects are kept.

pub mod export_options;
pub mod retention;
pub mod rule;
pub mod scheduler;
