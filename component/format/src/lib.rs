//! What export components share: the contract and its bindings, of which tables and rows an export is, and its values as text.
//!
//! | module | what lives there |
//! |---|---|
//! | [`pipe`] | the WIT package's types and traits, without bindings |
//! | `export`, `guest` | what an export component does, and the bindings to it |
//! | [`cells`] | reading a batch's cells |
//! | [`subset`], [`selection`], [`tables`] | which tables, definitions and rows are asked for; tables by their names |
//! | [`values`] | values as text, as far as all formats write them alike |
//! | [`saved`] | bytes and numbers in the JSON text of checkpoints |
//! | [`digest`] | a plan's digest |
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod cells;
pub mod digest;
mod export;
#[cfg(target_arch = "wasm32")]
mod guest;
pub mod pipe;
pub mod saved;
pub mod selection;
pub mod subset;
pub mod tables;
pub mod values;

pub use export::Export;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::bindings;
#[cfg(target_arch = "wasm32")]
pub use guest::{Exporter, bindings::export_exporter};
