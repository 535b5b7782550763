//! Builds components for `wasm32-unknown-unknown`, so that they import what their WIT world says and nothing else.
//!
//! [`Toolchain::find`] returns the first toolchain that can; [`build`] compiles a component's crate
//! with it and encodes the core module. The program of this crate does both for the build script of
//! `partway-prebuilt`, which therefore needs no dependencies that its users would have to compile.

mod build;
mod toolchain;

pub use build::{BuildError, build, build_workspace};
pub use toolchain::{Library, NoToolchain, TARGET, Toolchain};
