//! Builds components for `wasm32-unknown-unknown`, so that they import what their WIT world says and
//! nothing else.
//!
//! [`Toolchain::find`] takes the first toolchain that can; [`build`] compiles a component's crate
//! with it and encodes the core module. The build scripts of `partway` and of the tests call both,
//! and `cargo xtask setup` installs what they look for. With the feature `precompile`, `precompile` makes
//! machine code of a component.

mod build;
#[cfg(feature = "precompile")]
mod precompile;
mod toolchain;

pub use build::{BuildError, build, encode};
#[cfg(feature = "precompile")]
pub use precompile::{PrecompileError, precompile};
pub use toolchain::{NoToolchain, TARGET, Toolchain};
#[cfg(feature = "precompile")]
pub use wasmtime::Config;
