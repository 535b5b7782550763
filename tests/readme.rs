//! The README's Rust examples, compiled as documentation tests.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
