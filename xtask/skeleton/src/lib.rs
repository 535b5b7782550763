//! Exports a SQLite database as lines of CSV: the name of the table, then the cells.
//!
//! Change `csv.rs` to make a format of your own. The rest is what every format needs: `export.rs` reads rows and goes on
//! where the last slice ended, `output.rs` cuts the text into parts, `checkpoint.rs` is what a slice hands to the next.
#![no_std]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

mod checkpoint;
mod csv;
mod export;
mod output;

wit_bindgen::generate!({ path: "wit", world: "export-component" });

use alloc::string::String;

use exports::partway::pipe::exporter::{Budget, Error, Guest, Options, Outcome};

struct Component;

impl Guest for Component {
    fn start(options: Options) -> Result<String, Error> {
        export::start(options)
    }

    fn resume(from: String, budget: Budget) -> Result<Outcome, Error> {
        export::resume(&from, budget)
    }
}

export!(Component);

// There is no operating system below: memory comes from here, and a panic ends the slice.

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
