//! The README's Rust examples, compiled as documentation tests.
#![doc = include_str!("../../README.md")]
